# SPDX-License-Identifier: Apache-2.0
"""A bundle's contents, and that the same sources make the same bytes."""

import gzip
import io
import os
import re
import subprocess
import tarfile
from pathlib import Path

import pytest

from tools.release.bundle import (
    FILES,
    FOLDERS,
    BundleError,
    make_bundle,
    pack,
    repack,
    tree_members,
    write,
)

PAGE = "# km(1)\n\n## NAME\n\nkm - run a payload\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A tree of sources and builds with all that a release is made of."""
    root = tmp_path / "root"
    files = [*FILES, "install.sh", *(f"{folder}/part.py" for folder in FOLDERS)]
    for name in [*files, "km/man/km.1.md"]:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(PAGE if name.endswith(".md") else name)
    (root / "build/km/km").chmod(0o700)
    (root / "krun/src/krun/__pycache__").mkdir()
    (root / "krun/src/krun/__pycache__/part.pyc").write_text("stale")
    return root


def unpack(bundle: bytes, folder: Path) -> Path:
    """Unpack a bundle of version 9 and return its folder."""
    with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
        archive.extractall(folder, filter="data")
    return folder / "kontain-9"


def test_bundle_has_the_layout_of_architecture(root: Path, tmp_path: Path) -> None:
    """A bundle is install.sh, the collection, and a release whose MANIFEST sha256sum accepts."""
    top = unpack(pack(tree_members(make_bundle(root, "9", []))), tmp_path)
    release = top / "release"
    assert (top / "install.sh").read_text() == "install.sh"
    assert (release / "VERSION").read_text() == "9\n"
    assert (release / "bin/km").stat().st_mode & 0o777 == 0o755
    assert (release / "share/hello.km").stat().st_mode & 0o777 == 0o644
    assert (release / "lib/python/krun/part.py").is_file()
    assert ".TH" in (release / "share/man/man1/km.1").read_text()
    assert not list(release.rglob("*.pyc"))
    subprocess.run(["sha256sum", "--quiet", "--check", "MANIFEST"], cwd=release, check=True)
    listed = {line.split("  ")[1] for line in (release / "MANIFEST").read_text().splitlines()}
    present = {str(path.relative_to(release)) for path in release.rglob("*") if path.is_file()}
    assert present == listed | {"MANIFEST"}


def test_same_sources_make_the_same_bytes(root: Path) -> None:
    """Neither time nor owner nor the order of the disk gets into a bundle."""
    first = pack(tree_members(make_bundle(root, "9", [])))
    for path in root.rglob("*"):
        os.utime(path, (1, 1))
    (root / "install.sh").rename(root / "moved")
    (root / "moved").rename(root / "install.sh")
    assert pack(tree_members(make_bundle(root, "9", []))) == first


def test_collection_loses_its_times_and_owners_alone(root: Path, tmp_path: Path) -> None:
    """Two builds of one collection give one bundle; its links and modes stay."""
    packed = []
    for time, owner in ((1, "ann"), (2, "bob")):
        tarball = tmp_path / "kontain-platform-9.tar.gz"
        with tarfile.open(tarball, "w:gz") as archive:
            for name, target in (("part.py", ""), ("link.py", "part.py")):
                info = tarfile.TarInfo(name)
                info.mtime, info.uname, info.linkname = time, owner, target
                info.type = tarfile.SYMTYPE if target else tarfile.REGTYPE
                info.mode, info.size = 0o755, 0 if target else 4
                archive.addfile(info, io.BytesIO(b"text"))
        packed.append(pack(tree_members(make_bundle(root, "9", [tarball]))))
    assert packed[0] == packed[1]
    with tarfile.open(fileobj=io.BytesIO(repack(tarball))) as archive:
        link, file = archive.getmembers()
    assert (link.linkname, file.name, file.mode, file.size) == ("part.py", "part.py", 0o755, 4)


def test_gzip_header_tells_nothing(root: Path) -> None:
    """The header of the compressed file holds no name and no time."""
    bundle = pack(tree_members(make_bundle(root, "9", [])))
    assert bundle[3:8] == bytes(5)
    assert gzip.decompress(bundle)


@pytest.mark.parametrize("source", [*FILES, "install.sh"])
def test_missing_file_is_named(root: Path, source: str) -> None:
    """A bundle lacks nothing: a file that was not built is named."""
    (root / source).unlink()
    with pytest.raises(BundleError, match=re.escape(f"{source}: No such")):
        make_bundle(root, "9", [])


@pytest.mark.parametrize("folder", FOLDERS)
def test_empty_folder_is_named(root: Path, folder: str) -> None:
    """A folder without a source is named."""
    (root / folder / "part.py").unlink()
    with pytest.raises(BundleError, match=f"{folder}: there are no files"):
        make_bundle(root, "9", [])


def test_write_leaves_all_or_nothing(tmp_path: Path) -> None:
    """A file that cannot be put in its place leaves no other behind."""
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "inside").touch()
    with pytest.raises(OSError, match="taken"):
        write(tmp_path / "taken", b"contents")
    write(tmp_path / "free", b"contents")
    assert (tmp_path / "free").read_bytes() == b"contents"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["free", "taken"]
