# SPDX-License-Identifier: Apache-2.0
"""The host as what changes it needs it: locked, told of each step, and trusted to judge a bundle."""

from __future__ import annotations

import contextlib
import fcntl
import os
from pathlib import Path
from typing import Callable, Iterator, List, Mapping

from . import looks
from .errors import NOT_ROOT, WRONG_USAGE, HostError
from .trust import NOTHING_SAID, Trust

PREFIX = looks.host.PREFIX
STATE = "/var/lib/kontain"
CONFIG = "/etc/kontain"

_MAX_LINKS = 40  # as the kernel's own limit, path_resolution(7)


def keep_silent(step: str) -> None:
    """Take a step for granted."""


class Host(looks.host.Host):
    """A host that may be changed, whose file system begins at `root`.

    A *host path* is a `str` as the host itself writes it ("/etc/hosts"); `path` gives the place
    where this process finds it.
    """

    limit_s = 60.0

    state = STATE
    """The host path of the folder for the journal and the before-images."""
    environment: Mapping[str, str] = {}
    """The environment of the ordinary user whose part of the host this is; {}: all of it."""

    def __init__(
        self,
        root: str = "/",
        prefix: str = PREFIX,
        tell: Callable[[str], None] = keep_silent,
        trust: Trust = NOTHING_SAID,
    ) -> None:
        """Take the host at `root`, with the releases below the host path `prefix`.

        `tell` hears each step before it is made, as a person reads it. `trust` is what the
        operator says about the bundle of this run.
        """
        super().__init__(root, _checked_prefix(prefix))
        self.tell = tell
        self.warnings: List[str] = []  # what a change on its way back has to say
        self.trust = trust

    def path(self, host_path: str) -> Path:
        """Return where this process finds `host_path`."""
        return Path(self.place(host_path))

    def resolve(self, host_path: str) -> str:
        """Return the host path that `host_path` leads to when its last part is a symbolic link."""
        for _ in range(_MAX_LINKS):
            place = self.path(host_path)
            if not place.is_symlink():
                return host_path
            host_path = os.path.normpath(Path(host_path).parent / place.readlink())
        raise HostError(
            f"cannot follow {host_path}",
            f"it passes more than {_MAX_LINKS} symbolic links",
            f"look at `namei -l {host_path}`",
        )

    def require_root(self) -> None:
        """Refuse to change the real host as anybody but root."""
        if self.root == "/" and os.geteuid() != 0:
            raise HostError(
                "cannot change this host",
                f"the user id is {os.geteuid()}, wanted 0 (root)",
                "run the same command with sudo",
                NOT_ROOT,
            )

    @contextlib.contextmanager
    def lock(self) -> Iterator[None]:
        """Hold the host's state against a second run; the kernel releases it with the process."""
        state = self.path(self.state)
        while True:
            if not state.is_dir():
                state.mkdir(parents=True, exist_ok=True)
                state.chmod(0o755)
            fd = os.open(state, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
            try:
                _lock_or_refuse(fd, state)
                if _is_same(fd, state):
                    yield
                    return
            finally:
                os.close(fd)


def _lock_or_refuse(fd: int, state: Path) -> None:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise HostError(
            "cannot change this host",
            f"another run is changing it (it holds the lock on {state})",
            "wait until that run has ended, then run this again",
        ) from None


def _is_same(fd: int, state: Path) -> bool:
    """Return whether the open folder still is the one of that name: an uninstall may remove it."""
    try:
        return os.path.samestat(os.fstat(fd), state.stat())
    except FileNotFoundError:
        return False


def _checked_prefix(prefix: str) -> str:
    """Return the prefix without a slash at its end; refuse one that could not be stable."""
    good = prefix.startswith("/") and os.path.normpath(prefix) == prefix.rstrip("/")
    if not good or not prefix.isprintable():
        raise HostError(
            "cannot use the prefix",
            f"found {prefix!r}, wanted an absolute path below / without '.' and '..' in it",
            f"give the prefix {PREFIX}",
            WRONG_USAGE,
        )
    return prefix.rstrip("/")
