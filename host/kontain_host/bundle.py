# SPDX-License-Identifier: Apache-2.0
"""Read a release's bundle as hostile: all of it is judged before any of it is unpacked."""

from __future__ import annotations

import contextlib
import gzip
import hashlib
import io
import os
import re
import stat
import tarfile
import zlib
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Dict, FrozenSet, Iterator, List, Mapping, NoReturn, Optional, Set, Tuple

from .errors import UNTRUSTED, HostError, named
from .files import sync_directory
from .host import Host
from .looks import manifest
from .signature import AGAIN, UntrustedError

_VERSION = re.compile(r"[0-9]+\.[0-9]+\.[0-9]+(?:[-+][0-9A-Za-z.-]+)?")  # semver.org
_MAX_FILE = 1 << 28  # bytes of the file
_MAX_SIZE = 1 << 30  # bytes unpacked; a release has some ten million
_CHUNK = 1 << 20
_POLICY = "share/krun.json"
_KEPT = ("VERSION", manifest.NAME, _POLICY)


@dataclass(frozen=True)
class Bundle:
    """A bundle that was found good: its version, its manifest, and its size unpacked in bytes.

    `content` is the file itself, read once: what was judged is what is unpacked.
    """

    file: Path
    version: str
    manifest: bytes
    size: int
    files: FrozenSet[str]  # their paths, relative to the release
    links: Mapping[str, str]  # path → target as it stands in the link
    default_policy: Optional[bytes]  # share/krun.json
    content: bytes = field(default=b"", repr=False)

    @property
    def names(self) -> List[str]:
        """Return the paths of all files and links, relative to the release."""
        return sorted([*self.files, *self.links])

    @property
    def digest(self) -> str:
        """Return what identifies the release."""
        return manifest.digest(self.manifest)

    def unpack(self, folder: Path) -> None:
        """Write the release's tree into the new folder `folder`, and have it on the disk."""
        make_directory(folder)
        with _damage_refused(self.file), _archive(self.content) as archive:
            for path, member in _release_members(self.file, archive):
                place = folder / path
                _make_parents(folder, place)
                if member.issym():
                    place.symlink_to(member.linkname)
                else:
                    _write(place, member, archive)
        _sync_tree(folder)


def open_bundle(host: Host, file: Path) -> Bundle:
    """Judge the bundle `file` and return it; raise HostError for anything that is not as it must.

    Good is: one that this host trusts (`Host.trust`), and no older than the installed release; a
    whole gzipped tar archive of one folder `kontain-VERSION`; in it only directories, files and
    links that stay inside; `release/VERSION` of the same version; `release/MANIFEST` that lists
    every other file below `release/` with its SHA-256, and no more.
    """
    with named(f"cannot read the bundle {file}"):
        data = _read(file)
    try:
        signed = host.trust.require(host, data)
        bundle = _judge(file, data)
        host.trust.require_known(host, bundle.version, bundle.manifest, signed)
    except UntrustedError as error:
        raise _refusal(file, error.why, error.fix) from None
    return bundle


def _read(file: Path) -> bytes:
    """Return what a bundle's file holds, once: it may lie where others can exchange it."""
    fd = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)  # a pipe must not be waited for
    with open(fd, "rb") as stream:  # noqa: PTH123  a descriptor
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode) or info.st_size > _MAX_FILE:
            raise _refusal(file, f"it is not a file of at most {_MAX_FILE} bytes", AGAIN)
        return stream.read(_MAX_FILE)


def _judge(file: Path, data: bytes) -> Bundle:
    """Return the bundle, all of whose contents were found to be as they must."""
    with _damage_refused(file):
        _judge_stream(file, data)
        found = _Contents(file)
        with _archive(data) as archive:
            for path, member in _release_members(file, archive):
                found.add(path, member, archive)
    version = found.judge_version()
    found.judge_manifest()
    return Bundle(
        file=file,
        version=version,
        manifest=found.texts[manifest.NAME],
        size=found.size,
        files=frozenset(found.digests),
        links=found.links,
        default_policy=found.texts.get(_POLICY),
        content=data,
    )


def _archive(data: bytes) -> tarfile.TarFile:
    return tarfile.open(fileobj=io.BytesIO(data), mode="r:gz")


class _Contents:
    """The findings of a first reading below release/."""

    def __init__(self, file: Path) -> None:
        self.file = file
        self.top = ""
        self.size = 0
        self.digests: Dict[str, str] = {}
        self.links: Dict[str, str] = {}
        self.texts: Dict[str, bytes] = {}

    def add(self, path: str, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
        self.top = PurePosixPath(member.name).parts[0]
        self.size += member.size
        if member.issym():
            self.links[path] = member.linkname
            return
        if path in _KEPT and member.size > _CHUNK:
            _refuse(self.file, f"{path} has {member.size} bytes, wanted {_CHUNK} at most")
        digest, text = hashlib.sha256(), b""
        for chunk in _chunks(member, archive):
            digest.update(chunk)
            text += chunk if path in _KEPT else b""
        self.digests[path] = digest.hexdigest()
        if path in _KEPT:
            self.texts[path] = text

    def _target(self, path: str, target: str) -> str:
        """Return the path that a link leads to; refuse one that leaves the release."""
        joined = os.path.normpath(PurePosixPath(path).parent / target)
        if target.startswith("/") or not manifest.is_safe(joined):
            _refuse(self.file, f"the link {path} leads out of the release, to {target[:80]!r}")
        return joined

    def judge_version(self) -> str:
        """Return the version, which the folder's name and VERSION must agree on."""
        version = self.texts.get("VERSION", b"").decode(errors="replace").strip()
        if not _VERSION.fullmatch(version) or self.top != f"kontain-{version}":
            _refuse(
                self.file,
                f"its folder is {self.top!r} and release/VERSION says {version[:40]!r}, "
                "wanted kontain-VERSION and the same version, such as 0.1.0",
            )
        return version

    def judge_manifest(self) -> None:
        """Refuse the bundle when MANIFEST and the files differ in any point."""
        content = self.texts.get(manifest.NAME)
        if content is None:
            _refuse(self.file, f"release/{manifest.NAME} is missing")
        try:
            listed = manifest.parse(content)
        except ValueError as error:
            _refuse(self.file, str(error))
        present = dict(self.digests)
        del present[manifest.NAME]
        for path in self.links:
            target = self._target(path, self.links[path])
            if target not in self.digests:
                _refuse(self.file, f"the link {path} leads to no file of the release: {target}")
            present[path] = self.digests[target]
        for path in sorted(set(listed) | set(present)):
            found, wanted = present.get(path), listed.get(path)
            if found != wanted:
                _refuse(
                    self.file,
                    f"release/{path} has the SHA-256 {found or '(missing)'}, "
                    f"wanted {wanted or '(not in the manifest)'}",
                )


def make_directory(place: Path) -> None:
    """Make a directory that everybody may read, whatever the umask is."""
    place.mkdir()
    place.chmod(0o755)


def _release_members(
    file: Path, archive: tarfile.TarFile
) -> Iterator[Tuple[str, tarfile.TarInfo]]:
    """Yield path below release/ and member of the release's files and links."""
    top = ""
    leaves: Set[str] = set()
    for member in archive:
        name = member.name.rstrip("/")
        top = top or name.split("/")[0]
        if not manifest.is_safe(name) or name.split("/")[0] != top:
            _refuse(file, f"{name[:80]!r} lies outside of its folder {top[:80]!r}")
        is_whole_file = member.isfile() and not member.issparse()  # else its size is a claim
        if not (is_whole_file or member.isdir() or member.issym()):
            _refuse(file, f"{name} is not a file, directory or symbolic link")
        if leaves & {name, *map(str, PurePosixPath(name).parents)}:
            _refuse(file, f"{name} is in it twice, or below a file or link")
        if not member.isdir():
            leaves.add(name)
        if name.startswith(f"{top}/release/") and not member.isdir():
            yield name.split("/", 2)[2], member


def _judge_stream(file: Path, data: bytes) -> None:
    """Read the compressed stream to its end, so that its checksum and its size are judged."""
    size = 0
    with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
        for chunk in iter(lambda: stream.read(_CHUNK), b""):
            size += len(chunk)
            if size > _MAX_SIZE:
                _refuse(file, f"it unpacks to more than {_MAX_SIZE} bytes")


@contextlib.contextmanager
def _damage_refused(file: Path) -> Iterator[None]:
    """Turn what the readers of the standard library raise for a damaged archive into one word."""
    try:
        yield
    except (tarfile.TarError, EOFError, zlib.error, ValueError, gzip.BadGzipFile) as error:
        _refuse(file, f"it is truncated or not a gzipped tar archive ({error})")


def _refuse(file: Path, why: str) -> NoReturn:
    raise _refusal(file, why, AGAIN)


def _refusal(file: Path, why: str, fix: str) -> HostError:
    return HostError(f"cannot trust the bundle {file.name}", why, fix, UNTRUSTED)


def _chunks(member: tarfile.TarInfo, archive: tarfile.TarFile) -> Iterator[bytes]:
    content = archive.extractfile(member)
    if content is not None:
        yield from iter(lambda: content.read(_CHUNK), b"")


def _make_parents(folder: Path, place: Path) -> None:
    for parent in reversed(place.relative_to(folder).parents):
        if not (folder / parent).is_dir():
            make_directory(folder / parent)


def _sync_tree(folder: Path) -> None:
    """Have a tree on the disk: all files first, so that one flush of the disk serves many."""
    for parent, _, names in os.walk(folder, topdown=False):
        for place in (Path(parent, name) for name in names):
            if not place.is_symlink():
                with place.open("rb") as file:
                    os.fsync(file.fileno())
        sync_directory(Path(parent))


def _write(place: Path, member: tarfile.TarInfo, archive: tarfile.TarFile) -> None:
    """Write one file; of its mode only the execute bit is taken over."""
    with place.open("xb") as file:
        for chunk in _chunks(member, archive):
            file.write(chunk)
        os.fchmod(file.fileno(), 0o755 if member.mode & 0o111 else 0o644)
    os.utime(place, (member.mtime, member.mtime))
