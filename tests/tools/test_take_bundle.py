# SPDX-License-Identifier: Apache-2.0
"""No bundle but the right one is taken: tools/release/take_bundle.py, which install.sh calls."""

import http.server
import random
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kontain_host.signature import TRAILER_SIZE
from tools.release import dist, take_bundle
from tools.release.dist import Key
from tools.release.take_bundle import Wish

BUNDLE = "kontain-1.2.3-x86_64.tar.gz"


@pytest.fixture
def bundle(release: "dict[str, bytes]") -> bytes:
    """The release's bundle."""
    return release[BUNDLE]


def refused(data: bytes, key: Key, wanted: str = "1.2.3", oldest: str = "") -> bool:
    """Tell whether a bundle is refused."""
    try:
        take_bundle.judge(data, BUNDLE, Wish(key.public, "the test", wanted, oldest))
    except SystemExit:
        return True
    return False


def test_the_right_one_is_taken(bundle: bytes, key: Key) -> None:
    """A bundle as it was signed is good, again and as an upgrade, and says its version."""
    assert take_bundle.judge(bundle, BUNDLE, Wish(key.public, "the test", "1.2.3")) == "1.2.3"
    assert not refused(bundle, key, oldest="1.2.3")
    assert not refused(bundle, key, wanted="", oldest="1.2.3-rc.1")


def test_a_flipped_bit_is_refused_wherever_it_is(bundle: bytes, key: Key) -> None:
    """One bit in each byte of the signed manifest, and in thousands of the bytes before."""
    chance = random.Random(0)  # noqa: S311  # no secret
    end = len(bundle) - TRAILER_SIZE
    places = [*range(64), *chance.sample(range(end), 800), *range(end, len(bundle))]
    for place in places:
        changed = bytearray(bundle)
        changed[place] ^= 1 << chance.randrange(8)
        assert refused(bytes(changed), key), f"byte {place}"


def test_what_is_cut_off_or_longer_is_refused(bundle: bytes, key: Key) -> None:
    """No beginning of a bundle is good, nor one with a byte more, nor none at all."""
    chance = random.Random(1)  # noqa: S311  # no secret
    for length in [0, 1, 1023, 1024, len(bundle) - 1, *chance.sample(range(len(bundle)), 300)]:
        assert refused(bundle[:length], key), f"length {length}"
    assert refused(bundle + b"\0", key)
    assert refused(b"\0" + bundle, key)
    assert refused(bundle[:-TRAILER_SIZE] + bundle, key)


@pytest.fixture
def foreign(bundle: bytes, foreign_key: Key) -> bytes:
    """The same, but signed by another publisher."""
    body = bundle[:-TRAILER_SIZE]
    return body + dist.trailer(body, "1.2.3", foreign_key)


def test_foreign_ones_are_refused(
    foreign: bytes, bundle: bytes, key: Key, foreign_key: Key
) -> None:
    """A bundle signed by another publisher, or by nobody, is refused."""
    assert refused(foreign, key)
    assert refused(bundle, foreign_key)
    assert refused(bundle[:-TRAILER_SIZE], key)


def test_an_unsigned_one_is_taken_on_request(bundle: bytes) -> None:
    """The operator's word takes the signature's place; the version stays the one that is wanted."""
    body = bundle[:-TRAILER_SIZE]

    assert take_bundle.judge(body, BUNDLE, Wish("unsigned", "")) == "1.2.3"
    with pytest.raises(SystemExit):
        take_bundle.judge(body, BUNDLE, Wish("unsigned", "", "1.2.4"))
    with pytest.raises(SystemExit):
        take_bundle.judge(body, BUNDLE, Wish("unsigned", "", "", "1.2.4"))


@pytest.mark.parametrize(
    ("version", "oldest"),
    [
        ("1.2.3", "1.2.4"),
        ("1.2.3", "1.10.0"),
        ("1.9.0", "1.10.0"),
        ("1.2.3-rc.1", "1.2.3"),
        ("1.2.3-rc.2", "1.2.3-rc.10"),
        ("1.2.3-1", "1.2.3-a"),
    ],
)
def test_older_ones_are_refused(version: str, oldest: str, key: Key) -> None:
    """A release that is older than the installed one is refused, by the order of semver.org."""
    body = b"whatever it is"  # which the key decides alone
    made = body + dist.trailer(body, version, key)
    assert refused(made, key, version, oldest)
    assert not refused(made, key, version, version)
    assert refused(made, key, oldest)  # asked for this, and got an older one


class Server(http.server.BaseHTTPRequestHandler):
    """Serves `content`, a piece at a time; and refuses, when the test says so."""

    content = b""
    piece = 0
    ranges = True
    status = 0
    asked: "list[str]"

    def do_GET(self) -> None:
        """Answer with the content from where it is wanted, and break off after a piece."""
        wanted = self.headers.get("Range", "")
        self.asked.append(self.path + wanted)
        if self.status:
            self.send_error(self.status)
            return
        start = int(wanted[6:-1]) if wanted and self.ranges else 0
        self.send_response(206 if start else 200)
        self.send_header("Content-Length", str(len(self.content) - start))
        self.end_headers()
        self.wfile.write(self.content[start : start + self.piece])

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def server(bundle: bytes) -> Iterator["tuple[str, type[Server]]"]:
    """A server and its URL."""
    handler = type("Own", (Server,), {"content": bundle, "piece": len(bundle), "asked": []})
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as served:
        threading.Thread(target=served.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{served.server_port}", handler
        served.shutdown()


def take(
    url: str, key: Key, place: Path, **environment: str
) -> "subprocess.CompletedProcess[str]":
    """Run the program as install.sh does."""
    return subprocess.run(
        [sys.executable, "-I", "-", url, place, key.public, "the test", "1.2.3", ""],
        input=dist.take_program(),
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )


def test_it_is_fetched_and_resumed(
    server: "tuple[str, type[Server]]", key: Key, bundle: bytes, tmp_path: Path
) -> None:
    """A transfer that breaks off resumes where it was."""
    url, handler = server
    handler.piece = len(bundle) // 2 + 1

    said = take(f"{url}/{BUNDLE}", key, tmp_path / "b")

    assert (said.returncode, said.stdout) == (0, "1.2.3\n")
    assert (tmp_path / "b").read_bytes() == bundle
    assert handler.asked == [f"/{BUNDLE}", f"/{BUNDLE}bytes={handler.piece}-"]


def test_proxies_are_used(server: "tuple[str, type[Server]]", key: Key, tmp_path: Path) -> None:
    """http_proxy is where the request goes, and no_proxy is where it does not."""
    url, handler = server

    said = take(f"http://far.invalid/{BUNDLE}", key, tmp_path / "b", http_proxy=url)
    assert said.returncode == 0, said.stdout
    assert handler.asked == [f"http://far.invalid/{BUNDLE}"]
    assert (
        take(
            f"{url}/{BUNDLE}",
            key,
            tmp_path / "b",
            http_proxy="http://127.0.0.1:9",
            no_proxy="127.0.0.1",
        ).returncode
        == 0
    )


def test_what_is_not_there_is_named(
    server: "tuple[str, type[Server]]", key: Key, tmp_path: Path
) -> None:
    """A URL that has nothing is asked once; a server that fails is asked again; nothing is written."""
    url, handler = server
    handler.status = 404

    said = take(f"{url}/{BUNDLE}", key, tmp_path / "b")

    assert said.returncode == 1
    assert "the server answers 404" in said.stdout
    assert len(said.stdout.splitlines()) == 2
    assert len(handler.asked) == 1
    assert not (tmp_path / "b").exists()


def test_a_refused_bundle_is_not_written(bundle: bytes, key: Key, tmp_path: Path) -> None:
    """A refused bundle never reaches the place that is unpacked, and the words say why."""
    (tmp_path / BUNDLE).write_bytes(bundle[:-1])

    said = take(str(tmp_path / BUNDLE), key, tmp_path / "b")

    assert said.returncode == 1
    assert said.stdout.startswith(f"cannot trust the bundle {BUNDLE}: it does not end in a signed")
    assert not (tmp_path / "b").exists()
