# SPDX-License-Identifier: Apache-2.0
"""Remedies for a change that the operating system refuses, judged at the very place."""

from __future__ import annotations

import array
import contextlib
import errno
import fcntl
import os
from pathlib import Path
from typing import Callable, Dict, List, Tuple

_AGAIN = "then run this again"
_GET_FLAGS = 0x80086601  # FS_IOC_GETFLAGS, linux/fs.h
_ATTRIBUTES = ((0x10, "immutable", "i"), (0x20, "append-only", "a"))
_STORES = ("/nix/store/", "/gnu/store/")  # NixOS, Guix: their systems are made from a declaration
_OSTREE = "/run/ostree-booted"


def way_out(error: OSError) -> str:
    """Return what to do about an error; its `filename`, if any, is where it happened."""
    place = os.fsdecode(error.filename) if isinstance(error.filename, (str, bytes)) else ""
    if isinstance(error, TimeoutError) and not error.errno:  # of a program, which it names
        return "see by hand why it hangs, then run this again"
    known = _WAYS.get(error.errno or 0)
    return known(place) if known else f"remove the cause, {_AGAIN}"


def _read_only(place: str) -> str:
    if place.startswith(_STORES):
        return (
            f"declare it in the configuration of the system, which makes {place}; or put a file of "
            "its own where a link leads there"
        )
    if Path(_OSTREE).exists() and place.startswith("/usr/"):
        return "take a path below /etc, /var or /opt: /usr is part of this system's image (ostree)"
    mount = _mount_of(place) if place else "that file system"
    return (
        f"mount {mount} read-write (`mount -o remount,rw {mount}`), or, where a link leads there, "
        f"put a file of its own in the link's place, {_AGAIN}"
    )


def _busy(place: str) -> str:
    if place and _mount_of(place) == place:
        return (
            f"change the file that is mounted at {place} where it comes from (`findmnt {place}`), "
            f"or `umount {place}`: a mount cannot be replaced, {_AGAIN}"
        )
    return f"see who uses it (`fuser -v {place}`), {_AGAIN}" if place else f"free it, {_AGAIN}"


def _not_permitted(place: str) -> str:
    for path in [os.path.realpath(place), os.path.realpath(Path(place).parent)] if place else []:
        for name, letter in _attributes(path):
            return f"`chattr -{letter} {path}`, which is {name}, {_AGAIN}"
    return _no_access(place)


def _no_access(place: str) -> str:
    if os.geteuid() != 0:
        whose = f"see whose it is (`ls -ld {place}`), or " if place else ""
        return f"{whose}run this as root, with sudo"
    return (
        "see what SELinux or AppArmor denies (`dmesg`), and whether it is a file system of a "
        f"network or container that takes root for nobody, {_AGAIN}"
    )


def _full(place: str) -> str:
    mount = _mount_of(place) if place else "its file system"
    with contextlib.suppress(OSError):
        info = os.statvfs(mount)
        if info.f_files and not info.f_favail:
            return f"remove some files on {mount}, which has no inode left (`df -i`), {_AGAIN}"
    return f"free some disk space on {mount} (`df -h`), {_AGAIN}"


def _over_quota(place: str) -> str:
    where = f" on {_mount_of(place)}" if place else ""
    return f"raise the disk quota{where}, or remove files there (`quota`), {_AGAIN}"


def _in_the_way(place: str) -> str:
    return f"move {place} away, {_AGAIN}" if place else f"remove the cause, {_AGAIN}"


def _not_there(place: str) -> str:
    put = f"put {place} there, or " if place else ""
    return f"{put}give the path of something that is there"


def _broken(place: str) -> str:
    mount = _mount_of(place) if place else "the file system"
    return f"see what is wrong with {mount} (`dmesg`, `findmnt`), {_AGAIN}"


_WAYS: Dict[int, Callable[[str], str]] = {
    errno.ENOENT: _not_there,
    errno.ENOSPC: _full,
    errno.EDQUOT: _over_quota,
    errno.EROFS: _read_only,
    errno.EBUSY: _busy,
    errno.EACCES: _no_access,
    errno.EPERM: _not_permitted,
    errno.EEXIST: _in_the_way,
    errno.ENOTDIR: _in_the_way,
    errno.EISDIR: _in_the_way,
    errno.EIO: _broken,
    errno.ESTALE: _broken,
    errno.ENOTCONN: _broken,
}


def _attributes(path: str) -> List[Tuple[str, str]]:
    """Return name and letter (chattr(1)) of the attributes that keep a path from being changed."""
    flags = array.array("i", [0, 0])
    with contextlib.suppress(OSError):
        fd = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            fcntl.ioctl(fd, _GET_FLAGS, flags)
        finally:
            os.close(fd)
    return [(name, letter) for bit, name, letter in _ATTRIBUTES if flags[0] & bit]


def _mount_of(place: str) -> str:
    """Return the mount point that a path is on, which may be the path itself: a file can be one."""
    path, found = os.path.realpath(place), "/"
    with contextlib.suppress(OSError):
        for line in Path("/proc/self/mountinfo").read_text(errors="replace").splitlines():
            mount = _unescaped(line.split()[4])
            inside = path == mount or path.startswith(f"{mount.rstrip('/')}/")
            found = mount if inside and len(mount) >= len(found) else found
    return found


def _unescaped(text: str) -> str:
    """Return a mount point without the octal escapes of proc(5)."""
    for code in ("040", "011", "012", "134"):
        text = text.replace(f"\\{code}", chr(int(code, 8)))
    return text
