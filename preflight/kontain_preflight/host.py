# SPDX-License-Identifier: Apache-2.0
"""The only door from a check to the machine, so that a test can hand in another machine."""

from __future__ import annotations

import contextlib
import errno
import os
import pwd
import signal
import stat
import subprocess
import time
from typing import Callable, Dict, List, NamedTuple, Optional, Sequence, Tuple

from .kvm import Kvm

PREFIX = "/opt/kontain"
HELLO = "hello.km"  # the payload of proofs, in share/ of a release
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin:/snap/bin"
TIME_LIMIT_S = 20.0
_KEPT_VARIABLES = ("HOME", "XDG_RUNTIME_DIR")
_READ_LIMIT = 1 << 20  # no file that a check reads is that large; one that is may be hostile


class User(NamedTuple):
    """Whom the checks are made for."""

    uid: int
    name: str
    groups: Tuple[int, ...]


class Output(NamedTuple):
    """What a program said; `status` is as that of subprocess: negative for a signal."""

    status: int
    stdout: str
    stderr: str


class Mount(NamedTuple):
    """A mount point, and the type of the file system there."""

    point: str
    kind: str


class Host:
    """A machine whose file system begins at `root`.

    `prefix` is where Kontain is installed; None means the release that this code lies in, and
    where it lies in none, that nothing is installed. All paths are as the host itself writes them.
    """

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

    def path(self, path: str) -> str:
        """Return where this process finds `path` of the host."""
        return os.path.join(self.root, path.lstrip("/"))

    def exists(self, path: str) -> bool:
        """Return whether there is anything at `path`, after symbolic links."""
        return os.path.exists(self.path(path))

    def real_path(self, path: str) -> str:
        """Return `path` without symbolic links."""
        real, root = os.path.realpath(self.path(path)), os.path.realpath(self.root)
        return real if root == "/" else "/" + os.path.relpath(real, root)

    def read(self, path: str) -> str:
        """Return the text of a file; raises OSError."""
        with open(self.path(path), encoding="utf-8", errors="replace") as file:
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
            return sorted(os.listdir(self.path(folder)))
        except OSError:
            return []

    def stat(self, path: str) -> os.stat_result:
        """Ask the kernel about `path`; raises OSError."""
        return os.stat(self.path(path))

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
        return path, os.statvfs(self.path(path))

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
        return Kvm(self.path("/dev/kvm"))

    def ask(self, path: str, request: bytes, limit_s: float = 2.0) -> Optional[str]:
        """Say something to the daemon behind a socket, and return its answer until it hangs up.

        An empty request waits for no answer. None when there is no daemon for this user, or one that
        takes longer than `limit_s` in all, or says more than a file may hold: it may be anybody's.
        """
        import socket  # noqa: PLC0415  # 5 ms that hosts without a daemon need not pay

        with socket.socket(socket.AF_UNIX) as connection:
            connection.settimeout(limit_s)
            try:
                connection.connect(self.path(path))
                connection.sendall(request)
                return (
                    _answer(connection.recv, limit_s).decode(errors="replace") if request else ""
                )
            except OSError:
                return None

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
            place = self.path(f"{folder}/{name}")
            if os.path.isfile(place) and os.access(place, os.X_OK):
                return f"{folder}/{name}"
        return ""

    def start(self, *command: str) -> None:
        """Start a program whose output `run` will ask for later; one that fails to start waits too."""
        with contextlib.suppress(OSError):
            self._started[command] = Process(self.path(command[0]), command)

    def run(
        self, *command: str, stdin: Optional[int] = None, limit_s: float = TIME_LIMIT_S
    ) -> Output:
        """Run a program, named by its path, to its end.

        Raises OSError when it cannot be started, and TimeoutError, after it was killed with all
        that it started, when it needs longer than `limit_s`.
        """
        process = self._started.pop(command, None) or Process(
            self.path(command[0]), command, stdin
        )
        return process.finish(limit_s)

    def close(self) -> None:
        """Give back what was opened and started."""
        if self._kvm is not None:
            self._kvm.close()
            self._kvm = None
        for process in self._started.values():
            process.kill()
        self._started = {}


class Process:
    """A started program, in a process group of its own."""

    def __init__(self, place: str, command: Sequence[str], stdin: Optional[int] = None) -> None:
        """Start `command`, which lies at `place` for this process."""
        kept = {name: os.environ[name] for name in _KEPT_VARIABLES if name in os.environ}
        if os.geteuid() == 0:  # whoever called: root's programs read no user's configuration
            kept = {"HOME": "/root"}
        self._command = command
        self._popen = subprocess.Popen(
            (place, *command[1:]),
            env={"PATH": PATH, "LC_ALL": "C", **kept},
            stdin=subprocess.DEVNULL if stdin is None else stdin,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )

    def finish(self, limit_s: float) -> Output:
        """Wait for the end of the program, and return what it said."""
        began = time.monotonic()
        try:
            stdout, stderr = self._popen.communicate(timeout=limit_s)
        except subprocess.TimeoutExpired:
            self.kill()
            took = time.monotonic() - began
            raise TimeoutError(
                f"`{' '.join(self._command)}` gave no answer for {took:.0f} s"
            ) from None
        except BaseException:
            self.kill()
            raise
        return Output(self._popen.returncode, stdout, stderr)

    def kill(self) -> None:
        """End the program and all that it started, and forget what it said."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._popen.pid, signal.SIGKILL)
        for stream in (self._popen.stdout, self._popen.stderr):
            if stream is not None:
                stream.close()
        self._popen.wait()


def _answer(receive: Callable[[int], bytes], limit_s: float) -> bytes:
    """Return what comes until the other side hangs up; OSError for too much, or too late."""
    answer, deadline = bytearray(), time.monotonic() + limit_s
    while chunk := receive(1 << 16):
        answer += chunk
        if len(answer) > _READ_LIMIT or time.monotonic() > deadline:
            raise OSError(errno.EMSGSIZE, "no daemon's answer")
    return bytes(answer)


def _own_release() -> str:
    """Return the folder of the release that this file is part of, "" in a source tree."""
    folder = os.path.realpath(__file__)
    for _ in range(4):  # lib/python/kontain_preflight/host.py
        folder = os.path.dirname(folder)
    is_release = "/versions/" in folder and os.path.isfile(f"{folder}/VERSION")
    return folder if is_release else ""
