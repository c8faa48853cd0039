# SPDX-License-Identifier: Apache-2.0
"""krun's own folder of a container: the bundle that runc is given in place of the caller's."""

from __future__ import annotations

import fcntl
import posix
from _stat import S_ISDIR

from krun import document, state
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_ORIGINAL = "bundle"  # a link in a shadow to what it stands for


def make_folder(root: str, container_id: str, original: str, *, above: int) -> str:
    """Make krun's own folder of a container of the bundle ORIGINAL, empty, and return its path.

    While the backend runs it is locked, by a descriptor ABOVE those of the container.
    """
    folder = state.shadow_path(root, container_id)
    parent = folder.rpartition("/")[0]
    remove(root, container_id)
    try:
        _make_private(parent)
        lock = _locked(parent)  # so that no other one sweeps ours before it is held
        _sweep(root, parent)
        _make_private(folder)
        fcntl.fcntl(_locked(folder), fcntl.F_DUPFD, above + 1)
        posix.close(lock)
        posix.symlink(original, f"{folder}/{_ORIGINAL}")
    except OSError as reason:
        raise _full(parent, reason) from None
    return folder


def _locked(folder: str, more: int = 0) -> int:
    """Return a descriptor of FOLDER with an exclusive lock; MORE are flags of flock(2)."""
    fd = posix.open(folder, posix.O_RDONLY | posix.O_DIRECTORY | posix.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | more)
    except OSError:
        posix.close(fd)
        raise
    return fd


def _sweep(root: str, parent: str) -> None:
    """Remove the folders in PARENT whose backend has ended without making a container.

    A backend that fails runs no poststop hook; an engine deletes then, a person may not.
    """
    for name in posix.listdir(parent):
        if state.exists(f"{root}/{name}"):
            continue
        try:
            fd = _locked(f"{parent}/{name}", fcntl.LOCK_NB)
        except OSError:
            continue  # a create is under way, or a delete was faster
        if not state.exists(f"{root}/{name}"):  # a backend that just ended may have made it
            remove(root, name)
        posix.close(fd)


def fill(folder: str, doc: dict[str, Any]) -> None:
    """Make FOLDER the bundle that runc sees, with the configuration DOC.

    runc has no option to name another config.json, and reads it once more for an `exec`.
    """
    try:
        _write_whole(f"{folder}/config.json", document.dumps(doc).encode())
    except OSError as reason:
        raise _full(folder, reason) from None


def _full(folder: str, reason: OSError) -> KrunError:
    return KrunError(
        f"cannot write the container's files below {folder}: {reason.strerror}",
        f"make room on the file system of {folder}",
    )


def original_of(shadow: str) -> str | None:
    """Return the path of the caller's bundle behind the bundle SHADOW."""
    try:
        return posix.readlink(f"{shadow}/{_ORIGINAL}")
    except OSError:
        return None


def remove(root: str, container_id: str) -> None:
    """Remove what a create that failed half way may have left for this ID."""
    folder = state.shadow_path(root, container_id)
    try:
        for name in posix.listdir(folder):
            posix.unlink(f"{folder}/{name}")
        posix.rmdir(folder)
    except OSError:
        return  # usually nothing is there


def _make_private(folder: str) -> None:
    """Make FOLDER for this user alone; one that is there must be just that."""
    try:
        make_parents(folder)
        posix.mkdir(folder, 0o700)
    except FileExistsError:
        found = posix.lstat(folder)
        own = S_ISDIR(found.st_mode) and found.st_uid == posix.geteuid()
        if not own or found.st_mode & 0o022:
            raise KrunError(
                f"cannot trust {folder}: it is not this user's own directory",
                f"remove it, or name another place with --root: uid {found.st_uid}, "
                f"mode {found.st_mode:o}",
            ) from None


def make_parents(folder: str) -> None:
    """Make the directories above FOLDER that are missing."""
    parent = folder.rpartition("/")[0]
    try:
        posix.stat(parent or "/")
    except FileNotFoundError:
        make_parents(parent)
        posix.mkdir(parent, 0o711)


def _write_whole(path: str, content: bytes) -> None:
    """Put a file with CONTENT at PATH, whole or not at all.

    It need not survive a crash of the host: neither does the container.
    """
    temporary = f"{path}.{posix.getpid()}"
    flags = posix.O_WRONLY | posix.O_CREAT | posix.O_EXCL | posix.O_NOFOLLOW | posix.O_CLOEXEC
    fd = posix.open(temporary, flags, 0o600)
    try:
        while content:
            content = content[posix.write(fd, content) :]
        posix.replace(temporary, path)
    except OSError:
        posix.unlink(temporary)
        raise
    finally:
        posix.close(fd)
