# SPDX-License-Identifier: Apache-2.0
"""The standard streams that a container is given."""

from __future__ import annotations

import posix
from _stat import S_IFCHR, S_ISCHR

_NULL = posix.makedev(1, 3)  # null(4)


def keep_null() -> None:
    """Put a null device without a name in the place of the host's on the standard streams.

    crun 1.8 gives the streams to the container's user by fchown(2), before it puts the container's own
    /dev/null there; so the host's would belong to root of a user namespace. Who may not make a device
    may not give one away either, and keeps the streams as they are.
    """
    found = [fd for fd in range(3) if _is_null(fd)]
    if not found:
        return
    path = f"/dev/.krun-null-{posix.getpid()}"
    try:
        posix.mknod(path, S_IFCHR | 0o600, _NULL)
    except OSError:
        return
    try:
        own = posix.open(path, posix.O_RDWR | posix.O_CLOEXEC | posix.O_NOFOLLOW)
    except OSError:
        return
    finally:
        posix.unlink(path)
    for fd in found:
        posix.dup2(own, fd)


def _is_null(fd: int) -> bool:
    try:
        status = posix.fstat(fd)
    except OSError:
        return False  # the caller closed it
    return S_ISCHR(status.st_mode) and status.st_rdev == _NULL
