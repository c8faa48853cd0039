# SPDX-License-Identifier: Apache-2.0
"""A bundle that is not exactly as it must be is refused before anything is unpacked."""

from __future__ import annotations

import hashlib
import os
import tarfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kontain_host import release
from kontain_host.bundle import open_bundle
from kontain_host.errors import HostError
from kontain_host.host import Host
from kontain_host.signature import TRAILER_SIZE
from kontain_host.transaction import perform
from kontain_host.trust import Trust

from .small_host import FILES, BundleMaker, SmallHost, snapshot

TOP = "kontain-0.1.0"


def _member(
    name: str, kind: bytes = tarfile.REGTYPE, target: str = "", size: int = 0
) -> tarfile.TarInfo:
    member = tarfile.TarInfo(name)
    member.type, member.linkname, member.size = kind, target, size
    return member


def _sparse() -> tarfile.TarInfo:
    """Return a file that has holes: of 4 GiB, which its archive has no bytes of."""
    member = _member(f"{TOP}/release/x")
    member.pax_headers = {"GNU.sparse.map": "0,0", "GNU.sparse.size": str(1 << 32)}
    return member


HOSTILE = {
    "an absolute path": (_member("/etc/cron.d/x"), "lies outside"),
    "a path upwards": (_member(f"{TOP}/release/../../x"), "lies outside"),
    "another folder": (_member("elsewhere/x"), "lies outside"),
    "a newline": (_member(f"{TOP}/release/a\nb"), "lies outside"),
    "a device": (_member(f"{TOP}/release/bin/sda", tarfile.BLKTYPE), "not a file, directory"),
    "a pipe": (_member(f"{TOP}/release/bin/pipe", tarfile.FIFOTYPE), "not a file, directory"),
    "a file of holes": (_sparse(), "not a file, directory"),
    "a hard link": (
        _member(f"{TOP}/release/bin/x", tarfile.LNKTYPE, f"{TOP}/install.sh"),
        "not a file, directory",
    ),
    "a link out": (_member(f"{TOP}/release/x", tarfile.SYMTYPE, "../../../etc"), "leads out"),
    "an absolute link": (_member(f"{TOP}/release/x", tarfile.SYMTYPE, "/etc/passwd"), "leads out"),
    "a link to nothing": (_member(f"{TOP}/release/x", tarfile.SYMTYPE, "none"), "to no file"),
    "a file twice": (_member(f"{TOP}/release/bin/km"), "in it twice"),
    "a file below a file": (_member(f"{TOP}/release/bin/km/x"), "below a file or link"),
    "a file that is not listed": (_member(f"{TOP}/release/x"), "not in the manifest"),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_member_is_refused(host: SmallHost, make_bundle: BundleMaker, what: str) -> None:
    """A member that leaves the release's directory, or is not listed, refuses the bundle."""
    member, why = HOSTILE[what]
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=why) as caught:
        release.install(host, make_bundle(extra=[(member, b"")]))
    assert "\nTo fix: get the bundle again" in str(caught.value)
    assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize(
    ("manifest", "why"),
    [
        (b"", "release/VERSION has the SHA-256 .*, wanted \\(not in the manifest\\)|bin/km"),
        (b"nonsense\n", "line 1 of MANIFEST is 'nonsense', wanted a SHA-256 and a path"),
        (b"0" * 64 + b"  ../x\n", "has a path that may not be there"),
        (b"0" * 64 + b"  MANIFEST\n", "has a path that may not be there"),
        (b"0" * 64 + b"  gone\n", "has the SHA-256"),
        (b"\xff\n", "truncated or not a gzipped tar|utf-8"),
    ],
)
def test_a_wrong_manifest_is_refused(
    host: SmallHost, make_bundle: BundleMaker, manifest: bytes, why: str
) -> None:
    """A manifest lists every file, with its SHA-256, and nothing else."""
    with pytest.raises(HostError, match=why):
        open_bundle(host, make_bundle(manifest=manifest))


@pytest.mark.parametrize("top", ["kontain-0.2.0", "kontain", "0.1.0"])
def test_versions_must_agree(host: SmallHost, make_bundle: BundleMaker, top: str) -> None:
    """The folder's name and VERSION say the same version."""
    with pytest.raises(HostError, match=f"its folder is '{top}' and release/VERSION says '0.1.0'"):
        open_bundle(host, make_bundle(top=top))


def test_a_file_that_is_missing_is_named(host: SmallHost, tmp_path: Path) -> None:
    """A path without a bundle says what is wanted there."""
    with pytest.raises(HostError, match="No such file or directory"):
        open_bundle(host, tmp_path / "none.tar.gz")


def test_a_bundle_truncated_at_any_byte_is_refused(
    host: SmallHost, tmp_path: Path, make_bundle: BundleMaker
) -> None:
    """However much of a download is there, only all of it is good, signed or not."""
    host.trust = Trust(unsigned=True)
    whole = make_bundle().read_bytes()[:-TRAILER_SIZE]
    part = tmp_path / "kontain-part.tar.gz"
    for size in range(len(whole)):
        part.write_bytes(whole[:size])
        with pytest.raises(HostError):
            open_bundle(host, part)


def test_a_bundle_changed_at_any_byte_is_refused_or_the_same(
    host: SmallHost, tmp_path: Path, make_bundle: BundleMaker
) -> None:
    """Unsigned too, one other byte anywhere is refused, or it is one that gzip gives no meaning."""
    host.trust = Trust(unsigned=True)
    bundle = make_bundle()
    whole, good = bundle.read_bytes(), open_bundle(host, bundle)
    part = tmp_path / "kontain-changed.tar.gz"
    for place in range(len(whole)):
        part.write_bytes(whole[:place] + bytes([whole[place] ^ 0x20]) + whole[place + 1 :])
        try:
            found = open_bundle(host, part)
        except HostError:
            continue
        assert (found.digest, found.names, found.size) == (good.digest, good.names, good.size)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=100)
@given(st.binary(max_size=2000))
def test_noise_is_refused(tmp_path: Path, noise: bytes) -> None:
    """Bytes that are no archive lead to the two lines, not to a stack trace."""
    host = Host(str(tmp_path), trust=Trust(unsigned=True))
    file = tmp_path / "noise.tar.gz"
    file.write_bytes(noise)
    with pytest.raises(HostError):
        open_bundle(host, file)


@pytest.mark.parametrize("files", [{**FILES, "bin/km": b"evil"}, {}])
def test_a_bundle_that_is_exchanged_between_does_not_matter(
    host: SmallHost, make_bundle: BundleMaker, files: dict[str, bytes]
) -> None:
    """The verified bytes are installed, even if the name leads elsewhere later."""
    judged = open_bundle(host, make_bundle())
    make_bundle(files=files).write_bytes(b"")
    perform(host, "test", lambda report: release.plan(host, judged, report))
    assert host.path("/opt/kontain/bin/km").read_bytes() == FILES["bin/km"]


@pytest.mark.parametrize("kind", ["pipe", "folder", "huge"])
def test_what_is_no_file_is_not_waited_for(host: SmallHost, tmp_path: Path, kind: str) -> None:
    """A pipe, a folder, or a file of any size in a bundle's place is refused at once."""
    place = tmp_path / "kontain-0.1.0-x86_64.tar.gz"
    if kind == "pipe":
        os.mkfifo(place)
    elif kind == "folder":
        place.mkdir()
    else:
        with place.open("wb") as file:
            file.truncate(1 << 40)
    with pytest.raises(HostError, match=r"it is not a file of at most|Is a directory"):
        open_bundle(host, place)


def test_a_link_inside_of_the_release_is_kept(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A link that stays inside is installed as a link; the manifest has its target's SHA-256."""
    link = _member(f"{TOP}/release/bin/other", tarfile.SYMTYPE, "km")
    tree = {**FILES, "VERSION": b"0.1.0\n", "bin/other": FILES["bin/km"]}
    lines = [f"{hashlib.sha256(tree[path]).hexdigest()}  {path}\n" for path in sorted(tree)]
    bundle = make_bundle(manifest="".join(lines).encode(), extra=[(link, b"")])
    release.install(host, bundle)
    assert host.path("/opt/kontain/bin/other").read_bytes() == FILES["bin/km"]
