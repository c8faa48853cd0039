# SPDX-License-Identifier: Apache-2.0
"""Read what stands at a path, and replace it in one step that a crash cannot split."""

from __future__ import annotations

import contextlib
import errno
import os
import secrets
import stat
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

from .looks import manifest

State = Dict[str, Any]
"""The state of a path, as JSON: `type` absent, file, link, directory or other, and its details.

A file has `sha256` (hexadecimal), `size` (bytes), `mode`, `uid`, `gid` and `mtime_ns`; a link has
`target`; a directory `mode`, `uid` and `gid`.
"""

ABSENT: State = {"type": "absent"}

_IDENTITY = {
    "file": "sha256",
    "link": "target",
    "tree": "manifest",
    "member": "present",
    "module": "loaded",
}
_KEPT_ATTRIBUTES = ("security.selinux", "system.posix_acl_access")


@dataclass(frozen=True)
class Meta:
    """A file's attributes; `uid` and `gid` None mean: those of this process."""

    mode: int = 0o644
    uid: Optional[int] = None
    gid: Optional[int] = None
    mtime_ns: Optional[int] = None


def read_state(path: Path) -> State:
    """Return what stands at `path`; a symbolic link is not followed."""
    try:
        info = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return dict(ABSENT)
    owner = {"mode": stat.S_IMODE(info.st_mode), "uid": info.st_uid, "gid": info.st_gid}
    if stat.S_ISLNK(info.st_mode):
        return {"type": "link", "target": os.readlink(path)}  # noqa: PTH115  Path.readlink is 3.9's
    if stat.S_ISDIR(info.st_mode):
        return {"type": "directory", **owner}
    if not stat.S_ISREG(info.st_mode):
        return {"type": "other", **owner}
    content = {
        "sha256": manifest.file_digest(path),
        "size": info.st_size,
        "mtime_ns": info.st_mtime_ns,
    }
    return {"type": "file", **content, **owner}


def same(one: State, other: State) -> bool:
    """Return whether two states have the same content; mode, owner and times do not count."""
    return identity(one) == identity(other)


def identity(state: State) -> State:
    """Return of a state what makes two states the same: its type, and its content's name."""
    key = _IDENTITY.get(state["type"], "type")
    return {"type": state["type"], key: state.get(key)}


def describe(state: State) -> str:
    """Return a state as a person reads it."""
    if state["type"] == "absent":
        return "nothing"
    details = ", ".join(f"{key} {value}" for key, value in state.items() if key != "type")
    return f"a {state['type']}: {details}"


def temporary_name(name: str) -> str:
    """Return a name for a temporary file next to `name` that nobody can foresee."""
    return f".{name}.{secrets.token_hex(8)}"


def write_atomic(path: Path, content: bytes, meta: Meta, temporary: str) -> None:
    """Make `path` a file with `content`, by way of `temporary` in the same folder.

    At every moment `path` is the old file or the whole new one, also after a power cut. What an
    old file has in ACL and SELinux context, the new one gets. An OSError names `path`.
    """
    with _replacing(path, path.parent / temporary) as draft:
        _write_new(draft, content, meta, like=path)


def link_atomic(path: Path, target: str, temporary: str) -> None:
    """Make `path` a symbolic link to `target`, in one step. An OSError names `path`."""
    with _replacing(path, path.parent / temporary) as draft:
        draft.symlink_to(target)


@contextlib.contextmanager
def _replacing(path: Path, draft: Path) -> Iterator[Path]:
    """Give the draft to make, which then takes the place of `path`; a failure leaves none."""
    try:
        yield draft
        draft.replace(path)
    except OSError as error:
        if error.errno != errno.EEXIST:  # somebody else's, which stays
            _discard(draft)
            error.filename, error.filename2 = str(path), None
        raise
    except BaseException:
        _discard(draft)
        raise
    sync_directory(path.parent)


def _discard(draft: Path) -> None:
    with contextlib.suppress(OSError):
        draft.unlink()


def remove_file(path: Path) -> None:
    """Remove a file or link, for good; it may be gone already.

    On a read-only file system unlink(2) fails also for what is not there, hence the look before.
    """
    with contextlib.suppress(FileNotFoundError, NotADirectoryError):
        path.lstat()
        path.unlink()
        sync_directory(path.parent)


def sync_directory(path: Path) -> None:
    """Make the names in a folder survive a power cut."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)


def _write_new(path: Path, content: bytes, meta: Meta, like: Path) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(path, flags, 0o600), "wb") as file:  # noqa: PTH123  a descriptor
        file.write(content)
        file.flush()
        _set_owner(file.fileno(), meta)
        os.fchmod(file.fileno(), meta.mode)
        _copy_attributes(like, file.fileno())
        if meta.mtime_ns is not None:
            os.utime(file.fileno(), ns=(meta.mtime_ns, meta.mtime_ns))
        os.fsync(file.fileno())


def _set_owner(fd: int, meta: Meta) -> None:
    have = os.fstat(fd)
    want: Tuple[int, int] = (
        have.st_uid if meta.uid is None else meta.uid,
        have.st_gid if meta.gid is None else meta.gid,
    )
    if want != (have.st_uid, have.st_gid):
        os.fchown(fd, *want)


def _copy_attributes(source: Path, fd: int) -> None:
    """Copy ACL and SELinux context; a file system without them is no failure."""
    for name in _KEPT_ATTRIBUTES:
        with contextlib.suppress(OSError):
            os.setxattr(fd, name, os.getxattr(source, name))
