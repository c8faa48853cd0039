# SPDX-License-Identifier: Apache-2.0
"""The command line of an OCI runtime: the union of what crun 1.8 to 1.21 and runc 1.1 to 1.3 take.

runc reads `-name value` and `--name value` alike and stops at the first argument; crun reads
clusters of letters and, but for `exec`, options after arguments too. Here all of it is understood.
"""

from __future__ import annotations

from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

_START = frozenset({
    "bundle", "config", "console-socket", "pid-file", "pidfd-socket", "preserve-fds",
})  # fmt: skip

GLOBAL_VALUES = frozenset({
    "cgroup-manager", "criu", "log", "log-format", "log-level", "policy", "root", "rootless",
})  # fmt: skip
GLOBAL_LETTERS = {"h": "help", "v": "version", "V": "version", "?": "help"}

_EXEC = frozenset({
    "additional-gids", "apparmor", "cap", "cgroup", "console-socket", "cwd", "env", "pid-file",
    "pidfd-socket", "preserve-fds", "process", "process-label", "user",
})  # fmt: skip
_EXEC_LETTERS = {
    "c": "cap", "d": "detach", "e": "env", "g": "additional-gids", "p": "process", "t": "tty",
    "u": "user",
}  # fmt: skip

VALUES: dict[str, frozenset[str]] = {
    "create": _START,
    "diff": frozenset({"format"}),
    "events": frozenset({"interval"}),
    "exec": _EXEC,
    "gdb": _EXEC,
    "list": frozenset({"format"}),
    "mounts": frozenset(),
    "ps": frozenset({"format"}),
    "run": _START,
    "spec": frozenset({"bundle"}),
    "timing": frozenset({"format"}),
    "trace": _EXEC | {"calls"},
    "update": frozenset({
        "blkio-weight", "cpu-idle", "cpu-period", "cpu-quota", "cpu-rt-period", "cpu-rt-runtime",
        "cpu-share", "cpuset-cpus", "cpuset-mems", "kernel-memory", "kernel-memory-tcp",
        "l3-cache-schema", "mem-bw-schema", "memory", "memory-reservation", "memory-swap",
        "pids-limit", "resources",
    }),
}  # fmt: skip
"""The options of a verb that take a value; every other option takes none."""

LETTERS: dict[str, dict[str, str]] = {
    "create": {"b": "bundle", "f": "config"},
    "delete": {"f": "force", "r": "regex"},
    "exec": _EXEC_LETTERS,
    "gdb": _EXEC_LETTERS,
    "kill": {"a": "all", "r": "regex"},
    "list": {"f": "format", "q": "quiet"},
    "ps": {"f": "format"},
    "run": {"b": "bundle", "d": "detach", "f": "config"},
    "spec": {"b": "bundle"},
    "trace": _EXEC_LETTERS,
    "update": {"r": "resources"},
}  # fmt: skip

VERBS = frozenset({
    "checkpoint", "create", "delete", "diff", "events", "exec", "features", "gdb", "kill", "list", "pause",
    "ps", "restore", "resume", "run", "spec", "start", "state", "timing", "trace", "update",
})  # fmt: skip


FLAGS = frozenset({
    "all", "detach", "force", "ignore-paused", "keep", "no-new-keyring", "no-new-privs", "no-pivot",
    "no-subreaper", "quiet", "regex", "tty",
})  # fmt: skip
"""Options without a value that a single dash must not turn into a cluster of letters."""


class Options:
    """Options in the order in which they were given, by their long names."""

    def __init__(self) -> None:
        """Begin with none."""
        self.items: list[tuple[str, str | None]] = []

    def get(self, name: str) -> str | None:
        """Return the last value of option NAME."""
        return next((value for key, value in reversed(self.items) if key == name), None)

    def all(self, name: str) -> list[str]:
        """Return every value of option NAME."""
        return [value for key, value in self.items if key == name and value is not None]

    def has(self, name: str) -> bool:
        """Say whether option NAME was given."""
        return any(key == name for key, _ in self.items)

    def without(self, *names: str) -> Options:
        """Return the options but for those called NAMES."""
        kept = Options()
        kept.items = [item for item in self.items if item[0] not in names]
        return kept

    def words(self) -> list[str]:
        """Return the options as words that crun and runc read alike."""
        return [f"--{k}" if v is None else f"--{k}={v}" for k, v in self.items]


def scan(
    words: list[str], values: frozenset[str], letters: dict[str, str], *, in_order: bool
) -> tuple[Options, list[str]]:
    """Split WORDS into options and arguments; IN_ORDER ends the options at the first argument.

    VALUES are the options that take a value, LETTERS their short names.
    """
    options = Options()
    arguments: list[str] = []
    rest = iter(words)
    for word in rest:
        if word == "--":
            arguments.extend(rest)
        elif word[:1] != "-" or word == "-":
            arguments.append(word)
            if in_order:
                arguments.extend(rest)
        else:
            for name, value in _split(word, values, letters):
                if name in values and value is None:
                    options.items.append((name, _next(rest, name)))
                else:
                    options.items.append((name, value))
    return options, arguments


def _next(rest: Iterator[str], name: str) -> str:
    word = next(rest, None)
    if word is None:
        raise KrunError(f"option --{name} has no value", f"write --{name}=VALUE")
    return word


def _split(
    word: str, values: frozenset[str], letters: dict[str, str]
) -> list[tuple[str, str | None]]:
    """Return the options in one WORD: one of a long name, or several letters."""
    name, equals, value = word.lstrip("-").partition("=")
    long = word[:2] == "--" or name in values or name in FLAGS
    if not long and word[1:2] in letters:
        found: list[tuple[str, str | None]] = []
        cluster = word[1:]
        while cluster and cluster[0] in letters:
            letter, cluster = letters[cluster[0]], cluster[1:]
            if letter in values:
                return [*found, (letter, cluster.removeprefix("=") or None)]
            found.append((letter, None))
        if not cluster:
            return found
    return [(name, value if equals else None)]
