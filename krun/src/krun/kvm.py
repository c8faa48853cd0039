# SPDX-License-Identifier: Apache-2.0
"""KVM as an open descriptor.

A container that inherits it needs no device node, no cgroup rule and no group: it works in a user
namespace, for every user, and without capabilities. Opening it again by /proc would not.
"""

from __future__ import annotations

import fcntl
import posix

from krun import state
from krun.errors import KrunError

DEVICE = "/dev/kvm"
API_VERSION = 12
_KVM_GET_API_VERSION = 0xAE00
_MOST = 512  # descriptors to hand on: half of the usual limit of a process


def open_device() -> int:
    """Return a descriptor of KVM that answers with the API that km uses.

    The words of these errors are chosen so that no engine takes them for a missing payload.
    """
    try:
        fd = posix.open(DEVICE, posix.O_RDWR | posix.O_CLOEXEC)
    except FileNotFoundError:
        raise KrunError(
            f"this host has no KVM: {DEVICE} does not exist",
            "run `kontain check`, which says why and what helps",
        ) from None
    except PermissionError:
        mode = posix.stat(DEVICE).st_mode & 0o777
        raise KrunError(
            f"this user may not open {DEVICE}: uid {posix.geteuid()}, mode {mode:04o}",
            "run `usermod -aG kvm USER` and log in again",
        ) from None
    except OSError as reason:
        raise KrunError(
            f"cannot open {DEVICE}: {reason.strerror}", "run `kontain check`"
        ) from None
    try:
        version = fcntl.ioctl(fd, _KVM_GET_API_VERSION)
    except OSError:
        version = -1
    if version != API_VERSION:
        raise KrunError(
            f"{DEVICE} is not KVM: its API version is {version}, wanted {API_VERSION}",
            "run `kontain check`, which says why and what helps",
        )
    return fd


def inherited(preserved: str | None, backend: str) -> tuple[int, int]:
    """Return the descriptor that KVM gets in the container, and the new --preserve-fds for it.

    Before it are the PRESERVED ones of the option and, before those, the ones of socket activation:
    runc counts them if LISTEN_PID is its own, as sd_listen_fds(3) has it, crun always.
    """
    listen_fds = posix.environ.get(b"LISTEN_FDS", b"0")
    if backend == "runc" and posix.environ.get(b"LISTEN_PID") != str(posix.getpid()).encode():
        listen_fds = b"0"
    try:
        count, sockets = int(preserved or 0), int(listen_fds)
    except ValueError:
        count = sockets = -1
    if not (0 <= count <= _MOST and 0 <= sockets <= _MOST):
        raise KrunError(
            f"cannot count the descriptors to hand on: --preserve-fds={preserved or 0}, "
            f"LISTEN_FDS={listen_fds.decode(errors='backslashreplace')}",
            f"give numbers from 0 to {_MOST}",
        )
    return 3 + sockets + count, count + 1


def place(fd: int, number: int) -> None:
    """Make descriptor NUMBER a copy of FD; what the caller had there stays open elsewhere.

    A caller may wait for the end of a pipe that we hold for it, so nothing of its is closed.
    """
    if state.exists(f"/proc/self/fd/{number}"):
        fcntl.fcntl(number, fcntl.F_DUPFD, number + 1)
    posix.dup2(fd, number)
