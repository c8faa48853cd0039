# SPDX-License-Identifier: Apache-2.0
"""KVM as an open descriptor, in which km's probe has passed.

A container that inherits it needs no device node, no cgroup rule and no group: it works in a user
namespace, for every user, and without capabilities. Opening it again by /proc would not.
"""

from __future__ import annotations

import fcntl
import posix
from _stat import S_ISREG

from krun import state
from krun.errors import KrunError

DEVICE = "/dev/kvm"
API_VERSION = 12
_KVM_GET_API_VERSION = 0xAE00
_MOST = 512  # descriptors to hand on: half of the usual limit of a process
_BOOT = "/proc/sys/kernel/random/boot_id"
_READ = posix.O_RDONLY | posix.O_CLOEXEC
STAMP = "probed"
"""The file that says of what the probe has passed, in the folder that `_open_folder` opens."""


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


def prove(km: str, kvm_fd: int) -> None:
    """Refuse a host on which KM, with the open KVM of KVM_FD, runs no program of its own.

    A good answer costs its 2 ms once for each KM, kernel and boot: it is kept as a stamp, a file
    whose text is what the answer depends on. A bad one is never kept.
    """
    key = _key(km, kvm_fd)
    folder = _open_folder()
    try:
        if _is_stamped(folder, key):
            return
        from krun import probe  # noqa: PLC0415 - once for each boot

        probe.run(km, kvm_fd)
        probe.stamp(folder, STAMP, key)
    finally:
        if folder >= 0:
            posix.close(folder)


def _key(km: str, kvm_fd: int) -> bytes:
    """Return what the answer depends on, as the text of a stamp; empty if the boot is not known."""
    try:
        fd = posix.open(_BOOT, _READ)
        boot = posix.read(fd, 64)
        posix.close(fd)
    except OSError:
        boot = b""
    file, device = posix.stat(km), posix.fstat(kvm_fd)
    numbers = (file.st_dev, file.st_ino, file.st_size, file.st_mtime_ns, file.st_ctime_ns)
    node = (device.st_dev, device.st_ino, device.st_rdev)  # a module that is loaded anew makes one
    return boot and b"boot %skm %s\nkvm %s\nkernel %s\n" % (
        boot,
        " ".join(map(str, numbers)).encode(),
        " ".join(map(str, node)).encode(),
        posix.uname().release.encode(),
    )


def _open_folder() -> int:
    """Return a descriptor of the folder with the stamp, -1 where none is this user's alone to change.

    It is root's /run/kontain, where every user finds the keeper of km as well, or the user's own.
    """
    own = posix.environ.get(b"XDG_RUNTIME_DIR", b"")
    host = posix.geteuid() == 0 and state.has_all_users()
    if not host and own[:1] != b"/":
        return -1
    path = b"/run/kontain" if host else own + b"/kontain"
    flags = _READ | posix.O_DIRECTORY | posix.O_NOFOLLOW
    try:
        try:
            fd = posix.open(path, flags)
        except FileNotFoundError:
            posix.mkdir(path, 0o700)
            fd = posix.open(path, flags)
            posix.fchmod(fd, 0o755)  # whatever the umask is
    except OSError:
        return -1
    found = posix.fstat(fd)
    if found.st_uid != posix.geteuid() or found.st_mode & 0o022:
        posix.close(fd)
        return -1
    return fd


def _is_stamped(folder: int, key: bytes) -> bool:
    """Say whether FOLDER has a stamp of KEY, which must be a plain file that only this user writes."""
    if folder < 0 or not key:
        return False
    try:
        fd = posix.open(STAMP, _READ | posix.O_NOFOLLOW | posix.O_NONBLOCK, dir_fd=folder)
    except OSError:
        return False
    try:
        found = posix.fstat(fd)
        return (
            S_ISREG(found.st_mode)
            and found.st_uid == posix.geteuid()
            and not found.st_mode & 0o022
            and posix.read(fd, len(key) + 1) == key
        )
    finally:
        posix.close(fd)


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
    """Make descriptor NUMBER a copy of FD; the caller's file there stays open elsewhere.

    A caller may wait for the end of a pipe that we hold for it, so nothing of its is closed.
    """
    if fd == number:  # the caller left a gap
        posix.set_inheritable(fd, True)
        return
    if state.exists(f"/proc/self/fd/{number}"):
        fcntl.fcntl(number, fcntl.F_DUPFD, number + 1)
    posix.dup2(fd, number)
