# SPDX-License-Identifier: Apache-2.0
"""Fetch a bundle, and judge it before anything of it is unpacked: the part of install.sh that is Python.

`python3 take_bundle.py SOURCE PLACE KEY WHOSE [VERSION [OLDEST]]` reads the file or fetches the URL
SOURCE, and writes it to PLACE when it is signed by KEY (a public key, as kontain_host.signature has
it), is the release VERSION, and is no older than OLDEST. WHOSE names the key in an error; the key
`unsigned` asks for no signature. It prints the version; or what is wrong and what to do, a line
each, with status 1. `make dist` puts this file into install.sh, after kontain_host/signature.py.
"""

import io
import re
import sys
import tarfile
import time
import zlib
from pathlib import Path
from typing import NamedTuple, NoReturn
from urllib import request
from urllib.error import HTTPError

from kontain_host.signature import AGAIN, UntrustedError, require_not_older, verify

UNSIGNED = "unsigned"
FOLDER = re.compile(r"kontain-([0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.+-]+)?)(?:/.*)?")
PAUSES = (1, 2, 4, 8, 0)  # seconds after each try to fetch
TIMEOUT = 30
LARGEST = 1 << 28
CHUNK = 1 << 16


def end(problem: str, fix: str) -> NoReturn:
    """End with the two halves of an error."""
    print(f"{problem}\n{fix}")
    sys.exit(1)


def read(source: str) -> bytes:
    """Return what is in a file or at a URL."""
    if source.startswith(("http:", "https:")):
        return fetch(source)
    try:
        return Path(source).read_bytes()
    except OSError as problem:
        fix = "give the file kontain-VERSION-x86_64.tar.gz"
        end(f"cannot read {source}: {problem.strerror}", fix)


def fetch(url: str) -> bytes:
    """Return the contents of the URL; each new try resumes where the last one was cut off."""
    data, why = b"", ""
    for pause in PAUSES:
        try:
            data, whole = go_on(url, data)
            if len(data) >= whole:
                return data
            why = f"it ended after {len(data)} of {whole} bytes"
        except HTTPError as problem:
            why = f"the server answers {problem.code} {problem.reason}"
            if problem.code < 500:  # noqa: PLR2004  # what the client did is wrong, and stays so
                break
        except (OSError, ValueError) as problem:
            why = str(getattr(problem, "reason", problem))
        time.sleep(pause)
    fix = "see whether this host needs https_proxy; or fetch it elsewhere and use --offline"
    end(f"cannot fetch {url}: {why}", fix)


def go_on(url: str, data: bytes) -> "tuple[bytes, int]":
    """Return `data` with what follows it at the URL, and the length that it should have."""
    wish = request.Request(url, headers={"Range": f"bytes={len(data)}-"} if data else {})  # noqa: S310  # http
    with request.urlopen(wish, timeout=TIMEOUT) as answer:  # noqa: S310  # likewise
        data = data if answer.status == 206 else b""  # noqa: PLR2004  # partial content
        whole = len(data) + int(answer.headers.get("Content-Length") or 0)
        for part in iter(lambda: answer.read(CHUNK), b""):
            data += part
            if len(data) > LARGEST:
                end(f"{url} is larger than a bundle can be", "see where the URL leads")
    return data, whole


class Wish(NamedTuple):
    """Requirements on a bundle: signed by `key`, named `whose`; of `version`, if given; no older."""

    key: str
    whose: str
    version: str = ""
    oldest: str = ""


def judge(data: bytes, name: str, wish: Wish) -> str:
    """Return the version of a bundle that is good, or end."""
    try:
        if wish.key == UNSIGNED:
            version = claimed_version(data)
        else:
            version = verify(data, wish.key, wish.whose)
        if wish.oldest:
            require_not_older(version, wish.oldest, "take a newer one, or give --downgrade")
    except UntrustedError as error:
        end(f"cannot trust the bundle {name}: {error.why}", error.fix)
    if wish.version and version != wish.version:
        end(
            f"cannot trust the bundle {name}: it is the release {version}, wanted {wish.version}",
            AGAIN,
        )
    return version


def claimed_version(data: bytes) -> str:
    """Return the version that an unsigned bundle says of itself, by the name of its folder."""
    try:
        with tarfile.open(fileobj=io.BytesIO(data), mode="r:gz") as archive:
            first = archive.next()
    except (tarfile.TarError, EOFError, OSError, zlib.error) as problem:
        raise UntrustedError(f"it is not a gzipped tar archive ({problem})", AGAIN) from None
    found = FOLDER.fullmatch(first.name if first else "")
    if not found:
        raise UntrustedError("its first member is not a folder kontain-VERSION", AGAIN)
    return found[1]


def main() -> None:
    """Take the bundle that the command line names."""
    source, place, *wish = sys.argv[1:]
    data = read(source)
    version = judge(data, source.rsplit("/", 1)[-1], Wish(*wish))
    Path(place).write_bytes(data)
    print(version)


if __name__ == "__main__":
    main()
