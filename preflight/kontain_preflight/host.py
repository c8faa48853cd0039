# SPDX-License-Identifier: Apache-2.0
"""The only door from a check to the machine, so that a test can hand in another machine."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import stat
from typing import Dict, List, NamedTuple, Optional, Tuple

from .kvm import Kvm
from .programs import PATH, Output, Process

PREFIX = "/opt/kontain"
HELLO = "hello.km"  # the payload of proofs, in share/ of a release
_ANSWER_S = 2.0
_READ_LIMIT = 1 << 20  # no file that a check reads is that large; one that is may be hostile


class User(NamedTuple):
    """The user that the checks are for."""

    uid: int
    name: str
    groups: Tuple[int, ...]


class Mount(NamedTuple):
    """A mount point, and the type of the file system there."""

    point: str
    kind: str


class Host:
    """A machine whose file system begins at `root`.

    `prefix` is where Kontain is installed; None means the release that this code lies in, and
    where it lies in none, that nothing is installed. All paths are as the host itself writes them;
    `place` gives where this process finds one.
    """

    limit_s = 20.0
    """How long a program may take for which nobody gave a limit."""

    def __init__(
        self, root: str = "/", prefix: Optional[str] = None, km: Optional[str] = None
    ) -> None:
        """Take the machine at `root`; looks at nothing yet.

        `km` is the program to probe with; None means the release's.
        """
        self.root = root
        self._km = km
        self._release = f"{prefix}/current" if prefix else _own_release()
        self.prefix = prefix or self._release.rpartition("/versions/")[0] or PREFIX
        self._kvm: Optional[Kvm] = None
        self._started: Dict[Tuple[str, ...], Process] = {}

    # ---- files ----

    def place(self, path: str) -> str:
        """Return where this process finds `path` of the host."""
        return os.path.join(self.root, path.lstrip("/"))

    def exists(self, path: str) -> bool:
        """Return whether there is anything at `path`, after symbolic links."""
        return os.path.exists(self.place(path))

    def real_path(self, path: str) -> str:
        """Return `path` without symbolic links."""
        real, root = os.path.realpath(self.place(path)), os.path.realpath(self.root)
        return real if root == "/" else "/" + os.path.relpath(real, root)

    def read(self, path: str) -> str:
        """Return the text of a file; raises OSError."""
        with open(self.place(path), encoding="utf-8", errors="replace") as file:
            return file.read(_READ_LIMIT)

    def read_or(self, path: str, otherwise: str = "") -> str:
        """Return the text of a file without white space around it, or `otherwise`."""
        try:
            return self.read(path).strip()
        except OSError:
            return otherwise

    def names(self, folder: str) -> List[str]:
        """Return the names in a folder in their order; none when there is no such folder."""
        try:
            return sorted(os.listdir(self.place(folder)))
        except OSError:
            return []

    def stat(self, path: str) -> os.stat_result:
        """Ask the kernel about `path`; raises OSError."""
        return os.stat(self.place(path))

    def is_socket(self, path: str) -> bool:
        """Return whether `path` is a socket."""
        try:
            return stat.S_ISSOCK(self.stat(path).st_mode)
        except OSError:
            return False

    def statvfs(self, path: str) -> Tuple[str, os.statvfs_result]:
        """Return the nearest folder above or at `path` that exists, and its file system."""
        while not self.exists(path) and path != "/":
            path = os.path.dirname(path)
        return path, os.statvfs(self.place(path))

    def mounts(self) -> List[Mount]:
        """Return the mounts that this process sees, in the order in which they were made."""
        mounts = []
        for line in self.read_or("/proc/self/mountinfo").splitlines():
            left, _, right = line.partition(" - ")  # proc_pid_mountinfo(5)
            mounts.append(Mount(left.split()[4], right.split()[0]))
        return mounts

    # ---- the machine ----

    def uname(self) -> os.uname_result:
        """Return what the kernel says about itself and the CPU."""
        return os.uname()

    def user(self) -> User:
        """Return the user whose rights this process has."""
        uid = os.geteuid()
        try:
            name = pwd.getpwuid(uid).pw_name
        except KeyError:
            name = str(uid)
        return User(uid, name, (os.getegid(), *os.getgroups()))

    @property
    def kvm(self) -> Kvm:
        """Return the opened KVM, the same one each time; raises OSError."""
        if self._kvm is None:
            self._kvm = self.open_kvm()
        return self._kvm

    def open_kvm(self) -> Kvm:
        """Open KVM; raises OSError."""
        return Kvm(self.place("/dev/kvm"))

    def listens(self, path: str) -> bool:
        """Return whether a daemon that this user may talk to listens on the socket `path`."""
        from .unix_http import listens  # noqa: PLC0415  # 5 ms that hosts without a daemon need not pay

        return self.is_socket(path) and listens(self.place(path))

    def get(self, path: str, target: str) -> str:
        """Return what the daemon behind the socket `path` says at `target` by HTTP, "" where it says nothing.

        Nothing is also what takes long, or has more than a file may hold: it may be anybody's.
        """
        from .unix_http import get  # noqa: PLC0415  # likewise

        try:
            return get(self.place(path), target, _ANSWER_S, _READ_LIMIT).decode(errors="replace")
        except OSError:
            return ""

    # ---- Kontain ----

    @property
    def release(self) -> str:
        """Return the folder of the release to look at, "" where none is installed."""
        is_there = self._release and self.exists(f"{self._release}/VERSION")
        return self.real_path(self._release) if is_there else ""

    def release_version(self) -> str:
        """Return the version of the release to look at, "" where none is installed."""
        return self.read_or(f"{self.release}/VERSION") if self.release else ""

    @property
    def km(self) -> str:
        """Return the path of the km to probe with, "" where there is none."""
        if self._km:
            return self._km
        return f"{self.release}/bin/km" if self.release else ""

    # ---- programs ----

    def which(self, name: str) -> str:
        """Return the path of the program `name`, or ""."""
        for folder in PATH.split(":"):
            place = self.place(f"{folder}/{name}")
            if os.path.isfile(place) and os.access(place, os.X_OK):
                return f"{folder}/{name}"
        return ""

    def start(self, *command: str) -> None:
        """Start a program whose output `run` will ask for later; one that fails to start waits too."""
        with contextlib.suppress(OSError):
            self._started[command] = Process(command, self._program(command[0]))

    def run(
        self, *command: str, stdin: Optional[int] = None, limit_s: Optional[float] = None
    ) -> Output:
        """Run a program, named by its path or its name, to its end.

        Raises OSError when it cannot be started, and TimeoutError, after it was killed with all
        that it started, when it needs longer than `limit_s` (default: the host's own).
        """
        process = self._started.pop(command, None)
        if process is None:
            process = Process(command, self._program(command[0]), stdin=stdin)
        return process.finish(self.limit_s if limit_s is None else limit_s)

    def _program(self, name: str) -> str:
        """Return where this process finds a program; raises FileNotFoundError for an unknown name."""
        path = name if "/" in name else self.which(name)
        if not path:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), name)
        return self.place(path)

    def close(self) -> None:
        """Give back what was opened and started."""
        if self._kvm is not None:
            self._kvm.close()
            self._kvm = None
        for process in self._started.values():
            process.kill()
        self._started = {}


def _own_release() -> str:
    """Return the folder of the release that this file is part of, "" in a source tree."""
    folder = os.path.realpath(__file__)
    for _ in range(4):  # lib/python/kontain_preflight/host.py
        folder = os.path.dirname(folder)
    is_release = "/versions/" in folder and os.path.isfile(f"{folder}/VERSION")
    return folder if is_release else ""
