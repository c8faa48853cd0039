# SPDX-License-Identifier: Apache-2.0
"""A running container as an `exec` finds it: the root of its mount namespace, and its mounts.

The first process of the container may have another root, by chroot(2). A backend joins the namespace,
whose root stays.
"""

from __future__ import annotations

import posix

from krun import document
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import NoReturn

_CLONE_NEWNS, _CLONE_NEWUSER = 0x20000, 0x10000000  # setns(2)
_FOLDER = posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC
_NAMESPACE = posix.O_RDONLY | posix.O_CLOEXEC


def look_into(pid: int) -> tuple[int, set[str]]:
    """Return a descriptor of the root of process PID's mount namespace, and where mounts are in it.

    An OSError says that there is no such process.
    """
    if pid <= 0:
        raise ProcessLookupError
    fd, mounted = _seen_by(pid)
    if _is_top(fd):
        return fd, mounted
    posix.close(fd)
    return _look_from_within(pid)


def _seen_by(pid: int) -> tuple[int, set[str]]:
    """Return a descriptor of the root of process PID, and where it sees mounts."""
    table = document.read(f"/proc/{pid}/mountinfo").decode(errors="surrogateescape")
    fd = posix.open(f"/proc/{pid}/root", _FOLDER)
    return fd, {line.split(" ")[4] for line in table.splitlines()}


def _is_top(fd: int) -> bool:
    """Say whether no folder is above FD, the root of another process, which does not bound ours."""
    try:
        here, above = posix.fstat(fd), posix.stat("..", dir_fd=fd)
    except OSError:
        return False
    return (here.st_dev, here.st_ino) == (above.st_dev, above.st_ino)


def _look_from_within(pid: int) -> tuple[int, set[str]]:
    """Likewise, as a child sees it that has joined the namespace and does nothing else there."""
    from ctypes import CDLL  # noqa: PLC0415 - few containers change their root

    places = [f"/proc/{pid}/ns/{name}" for name in ("mnt", "user")]
    fds = [posix.open(place, _NAMESPACE) for place in places]
    setns = CDLL(None).setns  # Python has it from 3.12 on
    told, tell = posix.pipe()
    waited, wait = posix.pipe()
    child = posix.fork()
    if child == 0:
        posix.close(wait)
        _stay(setns, fds, tell, waited)
    for fd in (*fds, tell, waited):
        posix.close(fd)
    try:
        if not posix.read(told, 1):
            raise KrunError(
                "cannot join the container's mount namespace: the kernel refuses it to uid "
                f"{posix.geteuid()}",
                "call krun as the user that made the container",
            )
        return _seen_by(child)
    finally:
        posix.close(told)
        posix.close(wait)
        _reap(child)


def _stay(setns: Callable[[int, int], int], fds: list[int], tell: int, waited: int) -> NoReturn:
    """Join the namespaces FDS, write so to TELL, and end when the other end of WAITED is closed.

    The user namespace is joined only where this one has no right to the mounts of the container.
    """
    mounts, users = fds
    try:
        if setns(mounts, _CLONE_NEWNS) == 0 or (
            setns(users, _CLONE_NEWUSER) == 0 and setns(mounts, _CLONE_NEWNS) == 0
        ):
            posix.write(tell, b".")
            posix.read(waited, 1)
    finally:
        posix._exit(0)  # noqa: SLF001 - as that of os, which is not imported


def _reap(child: int) -> None:
    try:
        posix.waitpid(child, 0)
    except ChildProcessError:
        return  # a caller that ignores SIGCHLD: it has ended all the same
