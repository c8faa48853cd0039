# SPDX-License-Identifier: Apache-2.0
"""Print what the host says of each file of a folder to each of several users, call by call."""

import ctypes
import mmap
import os
import re
import sys
from pathlib import Path
from typing import NamedTuple

FACCESSAT, FACCESSAT2, CAPSET = 269, 439, 126
AT_FDCWD, AT_SYMLINK_NOFOLLOW, AT_EACCESS, AT_EMPTY_PATH = -100, 0x100, 0x200, 0x1000
CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 1, 2
CAP_VERSION = 0x20080522

LIBC = ctypes.CDLL(None, use_errno=True)


class User(NamedTuple):
    """A user by real and effective numbers, with groups, and with capabilities that root lacks."""

    real: int = 0
    effective: int = 0
    group: int = 0
    groups: tuple[int, ...] = ()
    lacks: tuple[int, ...] = ()


USERS = (
    User(),
    User(lacks=(CAP_DAC_OVERRIDE,)),
    User(lacks=(CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH)),
    User(1000, 1000, 1000),
    User(1000, 1000, 1000, (7, 3000)),
    User(1000, 1000, 3000),
    User(2000, 2000, 2000, (3000, 3001)),
    User(1000, 0, 1000),
    User(0, 1000, 1000),
)


def call(number: int, *args: "int | bytes | str") -> str:
    """Make a system call; the errno that it ends with, 0 for none."""
    words = [arg.encode() if isinstance(arg, str) else arg for arg in args]
    plain = [word if isinstance(word, bytes) else ctypes.c_long(word) for word in words]
    return "0" if LIBC.syscall(ctypes.c_long(number), *plain) >= 0 else str(ctypes.get_errno())


def become(user: User) -> None:
    """Be USER; a number that this user namespace does not have is left out."""
    os.setgroups(user.groups)
    os.setresgid(user.group, user.group, user.group)
    os.setresuid(user.real, user.effective, 0 if 0 in user[:2] else user.real)
    if user.lacks:
        lower = 0xFFFFFFFF & ~sum(1 << cap for cap in user.lacks)
        held = Path("/proc/self/status").read_text().split("CapPrm:\t")[1].split("\n")[0]
        lower &= int(held, 16) & 0xFFFFFFFF
        head = (ctypes.c_uint32 * 2)(CAP_VERSION, 0)
        sets = (ctypes.c_uint32 * 6)(lower, lower, 0, int(held, 16) >> 32, int(held, 16) >> 32, 0)
        if LIBC.syscall(CAPSET, head, sets):
            raise OSError(ctypes.get_errno(), "capset")


def look(folder: int, name: str, path: str) -> str:
    """The outcome of each call for one file."""
    with_file = [
        call(FACCESSAT2, folder, name, mode, flags)
        for flags in (0, AT_EACCESS, AT_SYMLINK_NOFOLLOW, AT_EACCESS | AT_SYMLINK_NOFOLLOW, 0x80)
        for mode in (os.X_OK, os.R_OK | os.X_OK, os.W_OK | os.X_OK, 7)
    ]
    opened = os.open(path, os.O_PATH | os.O_NOFOLLOW)
    with_file.append(call(FACCESSAT2, opened, "", os.X_OK, AT_EMPTY_PATH))
    with_file.append(call(FACCESSAT2, AT_FDCWD, f"/proc/self/fd/{opened}", 5, AT_EACCESS))
    with_file.append(call(FACCESSAT, folder, name, os.X_OK))
    with_file.append(call(FACCESSAT, AT_FDCWD, f"{path}/", os.X_OK))
    with_file.append(call(FACCESSAT, AT_FDCWD, path, 8 | os.X_OK))
    with_file.append(str(int(os.access(path, os.X_OK))))
    os.close(opened)
    noexec = Path(path).exists() and bool(os.statvfs(path).f_flag & os.ST_NOEXEC)
    return f"{name} {' '.join(with_file)} {noexec}"


def load(path: str) -> str:
    """The outcome of an executable mapping of it, for a user who may read it."""
    try:
        with open(path, "rb") as file:  # noqa: PTH123 - below, no path is wanted
            mmap.mmap(file.fileno(), 1, mmap.MAP_PRIVATE, mmap.PROT_READ | mmap.PROT_EXEC).close()
    except OSError as error:
        return f"load {error.errno}"
    return "load 0"


def run(path: str) -> str:
    """The outcome of its execution: a status, or an errno."""
    if not re.search(r"-0-0|-1000-3000|acl", path) or not os.access(path, 4, effective_ids=True):
        return "not tried"  # all would take long; and km has to read what it runs
    try:
        pid = os.posix_spawn(path, [path], os.environ)
    except OSError as error:
        return str(error.errno)
    return f"status {os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])}"


def main(folders: list[str]) -> None:
    """Look at FOLDERS as each user, from below and by its path."""
    for user in USERS:
        sys.stdout.flush()
        pid = os.fork()
        if not pid:
            try:
                become(user)
            except OSError:
                os._exit(0)  # it is not in this user namespace
            for folder in folders:
                opened = os.open(folder, os.O_PATH)
                for name in sorted(file.name for file in Path(folder).iterdir()):
                    path = f"{folder}/{name}"
                    loaded = load(path) if name.startswith(("0", "acl")) else ""
                    print(user, look(opened, name, path), run(path), loaded)
            sys.stdout.flush()
            os._exit(0)
        if os.waitpid(pid, 0)[1]:
            sys.exit(f"not all was looked at: {user}")
    for table in ("mounts", "mountinfo"):
        for line in Path(f"/proc/self/{table}").read_text().splitlines():
            fields = line.split(" ")
            if folders[0] in line:
                print(table, *fields[-4:], *[field for field in fields if "rw" in field])


main(sys.argv[1:])
