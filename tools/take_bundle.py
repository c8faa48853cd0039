# SPDX-License-Identifier: Apache-2.0
"""Judge a bundle before anything of it is unpacked: the part of install.sh that is Python.

`python3 take_bundle.py SOURCE PLACE KEY [VERSION [OLDEST]]` reads the file or fetches the URL SOURCE,
and writes it to PLACE when it is signed by KEY (RSA of 3,072 bits, the base64 of its PEM form), is
the release VERSION, and is no older than OLDEST. It prints the version; or what is wrong and what
to do, a line each, with status 1. `make dist` puts this file into install.sh.

The last 1,024 bytes of a bundle are an empty member of gzip whose comment is the signed manifest:
so the bundle is one file, and every program that reads .tar.gz reads it.
"""

import base64
import hashlib
import re
import shutil
import subprocess
import sys
import tempfile
import textwrap
import time
from pathlib import Path
from typing import NoReturn
from urllib import error, request

TRAILER_SIZE = 1024
TRAILER = re.compile(
    rb"\x1f\x8b\x08\x10\0\0\0\0\0\xff"  # RFC 1952: a member with a comment
    rb"(?P<signed>kontain-release 1\nversion (?P<version>[0-9A-Za-z.+-]+)\narchitecture x86_64\n"
    rb"size (?P<size>[0-9]+)\nsha256 (?P<sum>[0-9a-f]{64})\n)"
    rb"signature (?P<signature>[0-9A-Za-z+/]{512})\n *\0\x03\0\0\0\0\0\0\0\0\0"
)
KEY_BYTES = 384
EXPONENT = 65537
SHA256 = bytes.fromhex("3031300d060960864801650304020105000420")  # RFC 8017, 9.2, note 1
PAUSES = (1, 2, 4, 8, 0)  # seconds after each try to fetch
TIMEOUT = 30
LARGEST = 1 << 28
CHUNK = 1 << 16
AGAIN = "get it again; if that does not help, report it: it may have been tampered with"


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
    """Return what is at the URL; each new try goes on where the one before was cut off."""
    data, why = b"", ""
    for pause in PAUSES:
        try:
            data, whole = go_on(url, data)
            if len(data) >= whole:
                return data
            why = f"it ended after {len(data)} of {whole} bytes"
        except error.HTTPError as problem:
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


def is_signed(text: bytes, signature: bytes, key: str) -> bool:
    """Tell whether this is RSASSA-PKCS1-v1_5 with SHA-256: openssl says so, or else arithmetic does."""
    if shutil.which("openssl"):
        return openssl_says(text, signature, key)
    modulus = int.from_bytes(base64.b64decode(key)[33 : 33 + KEY_BYTES], "big")
    padded = pow(int.from_bytes(signature, "big"), EXPONENT, modulus).to_bytes(KEY_BYTES, "big")
    digest = SHA256 + hashlib.sha256(text).digest()
    return padded == b"\0\1" + b"\xff" * (KEY_BYTES - 3 - len(digest)) + b"\0" + digest


def openssl_says(text: bytes, signature: bytes, key: str) -> bool:
    """Tell whether the program openssl finds the signature good."""
    lines = textwrap.wrap(key, 64)
    pem = "\n".join(["-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""])
    with tempfile.TemporaryDirectory() as folder:
        Path(folder, "key").write_text(pem, encoding="ascii")
        Path(folder, "signature").write_bytes(signature)
        verify = ["openssl", "dgst", "-sha256", "-verify", "key", "-signature", "signature"]
        ran = subprocess.run(verify, cwd=folder, input=text, capture_output=True, check=False)
    return ran.returncode == 0


def order(version: str) -> "tuple[list[int], bool, list[tuple[bool, int, str]]]":
    """Return what versions compare by, as semver.org has it: a release follows its pre-releases."""
    main, _, before = version.partition("+")[0].partition("-")
    parts = [(not p.isdigit(), int(p) if p.isdigit() else 0, p) for p in before.split(".")]
    return [int(part) for part in main.split(".")], not before, parts


def judge(data: bytes, name: str, key: str, wanted: str, oldest: str) -> str:
    """Return the version of a bundle that is good, or end."""
    refused = f"cannot trust the bundle {name}"
    found = TRAILER.fullmatch(data[-TRAILER_SIZE:])
    if not found:
        fix = "take a bundle of a release or of `make dist`, and get all of it"
        end(f"{refused}: it does not end in a signed manifest", fix)
    if not is_signed(found["signed"], base64.b64decode(found["signature"]), key):
        end(f"{refused}: it is not signed by the key of this install.sh", AGAIN)
    body, version = data[:-TRAILER_SIZE], found["version"].decode()
    if (len(body), hashlib.sha256(body).hexdigest()) != (
        int(found["size"]),
        found["sum"].decode(),
    ):
        end(f"{refused}: its {len(body)} bytes are not those that were signed", AGAIN)
    if wanted and version != wanted:
        end(f"{refused}: it is the release {version}, wanted {wanted}", AGAIN)
    if oldest and order(version) < order(oldest):
        fix = "take a newer one, or give --downgrade"
        end(f"{refused}: it is the release {version}, and {oldest} is installed", fix)
    return version


def main() -> None:
    """Take the bundle that the command line names."""
    source, place, key, wanted, oldest = [*sys.argv[1:], "", ""][:5]
    data = read(source)
    version = judge(data, source.rsplit("/", 1)[-1], key, wanted, oldest)
    Path(place).write_bytes(data)
    print(version)


if __name__ == "__main__":
    main()
