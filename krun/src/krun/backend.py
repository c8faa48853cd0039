# SPDX-License-Identifier: Apache-2.0
"""The backend, crun or runc: which one, how it wants its command line, and becoming it."""

from __future__ import annotations

import posix

from krun import release
from krun.errors import KrunError
from krun.options import Options

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_CGROUP2 = "/sys/fs/cgroup/cgroup.controllers"
_HYBRID = "/sys/fs/cgroup/unified/cgroup.procs"
_SIGPIPE, _SIGXFSZ = 13, 25


class Backend:
    """A crun or a runc on this host."""

    def __init__(self, name: str, path: str) -> None:
        """Keep its NAME, "crun" or "runc", and its PATH."""
        self.name = name
        self.path = path


def choose(wanted: str) -> Backend:
    """Return the backend for new containers: the one WANTED by policy, or by "auto" the better.

    That is crun, which is faster, but runc where crun refuses: on hybrid cgroups, which are a
    version 1 hierarchy with version 2 beside it at /sys/fs/cgroup/unified.
    """
    if wanted != "auto":
        return named(wanted)
    hybrid = not _is_file(_CGROUP2) and _is_file(_HYBRID)
    for name in ("runc", "crun") if hybrid else ("crun", "runc"):
        path = release.find_program(name)
        if path:
            return Backend(name, path)
    raise _missing("neither crun nor runc is")


def named(name: str) -> Backend:
    """Return the backend called NAME."""
    path = release.find_program(name)
    if path is None:
        raise _missing(f"{name} is not")
    return Backend(name, path)


def _missing(what: str) -> KrunError:
    return KrunError(
        f"there is no backend: {what} in {', '.join(release.SEARCHED)}",
        "install the distribution's package crun or runc",
    )


def _is_file(path: str) -> bool:
    try:
        posix.stat(path)
    except OSError:
        return False
    return True


def global_words(backend: Backend, given: Options, root: str) -> list[str]:
    """Return the options before the verb as BACKEND understands them."""
    options = given.without("root", "policy", "criu" if backend.name == "crun" else "log-level")
    if backend.name == "runc":
        options = options.without("cgroup-manager")
        if given.get("cgroup-manager") == "systemd" and not given.has("systemd-cgroup"):
            options.items.append(("systemd-cgroup", None))
    options.items.append(("root", root))
    return options.words()


def become(backend: Backend, words: list[str]) -> NoReturn:
    """Replace this process by BACKEND with WORDS as its arguments.

    It is called by its own name, because a crun called krun would start libkrun. What Python
    changed in the process is undone: two signals that it ignores, and a locale that it sets.
    """
    import _signal  # type: ignore[import-not-found] # noqa: PLC0415 - `signal` is slow to import

    for signal in (_SIGPIPE, _SIGXFSZ):
        _signal.signal(signal, _signal.SIG_DFL)
    env = dict(posix.environ)
    if env.get(b"LC_CTYPE") == b"C.UTF-8":
        del env[b"LC_CTYPE"]
    try:
        posix.execve(backend.path, [backend.name, *words], env)
    except (OSError, ValueError) as reason:
        raise KrunError(
            f"cannot start {backend.path}: {reason}",
            f"install the distribution's package {backend.name} again",
        ) from None


def output(backend: Backend, words: list[str], *, quiet: bool = False) -> tuple[int, str]:
    """Run BACKEND with WORDS and return its status and what it printed; QUIET hides its errors."""
    reader, writer = posix.pipe()
    pid = posix.fork()
    if pid == 0:
        posix.dup2(writer, 1)
        if quiet:
            posix.dup2(posix.open("/dev/null", posix.O_WRONLY), 2)
        become(backend, words)
    posix.close(writer)
    parts = []
    while part := posix.read(reader, 1 << 16):
        parts.append(part)
    _, status = posix.waitpid(pid, 0)
    text = b"".join(parts).decode(errors="surrogateescape")
    return posix.waitstatus_to_exitcode(status) & 0xFF, text
