# SPDX-License-Identifier: Apache-2.0
"""Make the bundle `build/kontain-VERSION-x86_64.tar.gz`: `python3 -m tools.release.bundle VERSION [COLLECTION]`.

A bundle is a folder `kontain-VERSION/` with `install.sh`, `release/` (the tree of
`/opt/kontain/versions/VERSION`) and, where ansible-galaxy made COLLECTION, the collection's tarball.
The same sources make the same bytes: members are sorted and have no owner and one time.
It runs where install.sh builds, so it wants nothing but Python 3.9.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import stat
import sys
import tarfile
import tempfile
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any, Optional

from .manpage import ManError, convert

ROOT = Path(__file__).resolve().parents[2]
BUILD = ROOT / "build"
BUILT = (
    BUILD / "bundle.sha256"
)  # by this, install.sh and the collection know the bundle built here
RELEASE_KEY = "share/release.pub"  # in a release
COLLECTIONS_KEY = "meta/release.pub"
MTIME = 315532800  # 1980-01-01, the oldest time that every archive format can hold

# What a release is made of, and where it stands in a release.
FILES = {
    "build/km/km": "bin/km",
    "build/krun/bin/krun": "bin/krun",
    "krun/bin/krun": "lib/krun.py",
    "command/bin/kontain": "bin/kontain",
    "command/completion/kontain": "share/bash-completion/completions/kontain",
    "build/toolchain/bin/gcc-kontain": "bin/gcc-kontain",
    "build/toolchain/bin/g++-kontain": "bin/g++-kontain",
    "build/toolchain/bin/kontain-gcc": "bin/kontain-gcc",
    "build/toolchain/bin/kontain-g++": "bin/kontain-g++",
    "build/hello.km": "share/hello.km",
    "krun/etc/krun.json": "share/krun.json",
    "tools/release/ansible-requirements.txt": "share/ansible-requirements.txt",
}
FOLDERS = {
    "build/toolchain/lib/toolchain": "lib/toolchain",
    "krun/src/krun": "lib/python/krun",
    "preflight/kontain_preflight": "lib/python/kontain_preflight",
    "host/kontain_host": "lib/python/kontain_host",
    "command/kontain_command": "lib/python/kontain_command",
    "runenv/kontain_runenv": "lib/python/kontain_runenv",
    "fleet/kontain_fleet": "lib/python/kontain_fleet",
}
PAGES = "*/man/*.md"

File = tuple[bytes, int]  # contents and mode
Tree = dict[str, File]  # by path
Member = tuple[tarfile.TarInfo, bytes]


class BundleError(Exception):
    """A bundle that cannot be made; the text says why."""


def read_file(path: Path) -> File:
    """Return a file's contents and the mode it has in an archive; a link is what it leads to."""
    try:
        return path.read_bytes(), 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
    except OSError as problem:
        raise BundleError(f"{problem.filename}: {problem.strerror}") from problem


def read_release(root: Path, version: str, key: bytes = b"", more: Optional[Tree] = None) -> Tree:
    """Return the tree of a release of the sources and builds below `root`, and of the files `more`.

    `key` is the public key by which the host that has it shall judge the next (PEM).
    """
    tree = {place: read_file(root / source) for source, place in FILES.items()}
    for source, place in FOLDERS.items():
        inside = [path for path in (root / source).rglob("*") if is_source(path)]
        if not inside:
            raise BundleError(f"{root / source}: there are no files in it")
        tree |= {f"{place}/{path.relative_to(root / source)}": read_file(path) for path in inside}
    for page in root.glob(PAGES):
        name = page.name[: -len(".md")]
        roff = convert(page.read_text(encoding="utf-8"), page.name, version)
        tree[f"share/man/man{name[-1]}/{name}"] = (roff.encode(), 0o644)
    tree.update(more or {})
    if key:
        tree[RELEASE_KEY] = (key, 0o644)
    tree["VERSION"] = (f"{version}\n".encode(), 0o644)
    tree["MANIFEST"] = (sums_of(tree), 0o644)
    return tree


def is_source(path: Path) -> bool:
    """Tell a file of a release from the caches that Python leaves next to it."""
    return path.is_file() and "__pycache__" not in path.parts


def sums_of(tree: Tree) -> bytes:
    """Return the sums of all files, as `sha256sum -c` reads them."""
    sums = {path: hashlib.sha256(contents).hexdigest() for path, (contents, _) in tree.items()}
    return "".join(f"{sums[path]}  {path}\n" for path in sorted(sums)).encode()


def pack(members: Iterable[Member]) -> bytes:
    """Return a gzipped tarball of `members` that depends on their contents alone."""
    packed = io.BytesIO()
    # The name must not get into gzip's header, nor the time.
    with (
        gzip.GzipFile(filename="", mode="wb", fileobj=packed, mtime=0) as stream,
        tarfile.open(fileobj=stream, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        for info, contents in sorted(members, key=lambda pair: pair[0].name):
            info.pax_headers = {}  # ansible-galaxy's tarball has the times in there too
            info.mtime, info.uname, info.gname, info.uid, info.gid = MTIME, "root", "root", 0, 0
            archive.addfile(info, io.BytesIO(contents))
    return packed.getvalue()


def tree_members(tree: Tree) -> Iterator[Member]:
    """Yield the files of `tree` and the folders that they stand in."""
    for name in {str(folder) for path in tree for folder in PurePosixPath(path).parents} - {"."}:
        info = tarfile.TarInfo(name)
        info.type, info.mode = tarfile.DIRTYPE, 0o755
        yield info, b""
    for name, (contents, mode) in tree.items():
        info = tarfile.TarInfo(name)
        info.mode, info.size = mode, len(contents)
        yield info, contents


def repack(tarball: Path, key: bytes = b"") -> bytes:
    """Return the collection's tarball without what depends on where ansible-galaxy made it.

    That is times, owners, and the order in which it found the files, which FILES.json has. The
    public `key` is added, by which its modules judge a bundle (PEM).
    """
    more = {COLLECTIONS_KEY: key} if key else {}
    members = []
    with tarfile.open(tarball) as archive:
        for info in archive:
            stream = archive.extractfile(info) if info.isreg() else None
            info.mode = 0o755 if info.mode & stat.S_IXUSR else 0o644
            members.append((info, stream.read() if stream else b""))
    for name, contents in more.items():
        info = tarfile.TarInfo(name)
        info.mode = 0o644
        members.append((info, contents))
    texts = {info.name: contents for info, contents in members}
    if "FILES.json" in texts:
        files = json.loads(texts["FILES.json"])
        files["files"] += [galaxy_entry(name, contents) for name, contents in more.items()]
        files["files"].sort(key=lambda file: str(file["name"]))
        texts["FILES.json"] = as_json(files)
        manifest = json.loads(texts["MANIFEST.json"])
        digest = hashlib.sha256(texts["FILES.json"]).hexdigest()
        manifest["file_manifest_file"]["chksum_sha256"] = digest
        texts["MANIFEST.json"] = as_json(manifest)
    for info, _ in members:
        info.size = len(texts[info.name])
    return pack((info, texts[info.name]) for info, _ in members)


def galaxy_entry(name: str, contents: bytes) -> dict[str, Any]:
    """Return what FILES.json says of a file."""
    digest = hashlib.sha256(contents).hexdigest()
    kinds = {"ftype": "file", "chksum_type": "sha256", "format": 1}
    return {"name": name, "chksum_sha256": digest, **kinds}


def as_json(value: Any) -> bytes:
    """Return a value as JSON that looks as ansible-galaxy's does."""
    return (json.dumps(value, indent=1) + "\n").encode()


def write(path: Path, contents: bytes) -> None:
    """Make `path` hold `contents`; a reader in between sees all or nothing of them."""
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".bundle.", delete=False) as file:
        try:
            file.write(contents)
            file.flush()
            os.fchmod(file.fileno(), 0o644)
            os.fsync(file.fileno())
            Path(file.name).rename(path)
        except BaseException:
            Path(file.name).unlink()
            raise


def make_bundle(
    root: Path,
    version: str,
    collections: list[Path],
    key: bytes = b"",
    more: Optional[Tree] = None,
) -> Tree:
    """Return the tree of the bundle, whose release and collections have the public `key`.

    `more` are further files of the release.
    """
    top = f"kontain-{version}"
    release = read_release(root, version, key, more)
    tree = {f"{top}/release/{path}": file for path, file in release.items()}
    tree[f"{top}/install.sh"] = read_file(root / "install.sh")
    for collection in collections:
        tree[f"{top}/{collection.name}"] = (repack(collection, key), 0o644)
    return tree


def main() -> int:
    """Make the bundle of the version and collection that the command line names."""
    version, *collections = sys.argv[1:]
    path = BUILD / f"kontain-{version}-x86_64.tar.gz"
    try:
        tree = make_bundle(ROOT, version, [Path(name) for name in collections])
        packed = pack(tree_members(tree))
        write(path, packed)
        write(BUILT, f"{hashlib.sha256(packed).hexdigest()}  {path.name}\n".encode())
    except (BundleError, ManError, OSError, tarfile.TarError) as problem:
        print(f"bundle.py: cannot make {path}: {problem}.", file=sys.stderr)
        print("To fix: run `make bundle`, which builds what goes into it first.", file=sys.stderr)
        return 1
    print(path.relative_to(ROOT))
    return 0


if __name__ == "__main__":
    sys.exit(main())
