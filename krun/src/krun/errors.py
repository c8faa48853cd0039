# SPDX-License-Identifier: Apache-2.0
"""The error that krun reports, and how engines get to read it.

Engines judge by words: podman and docker take "permission denied" for status 126, and "no such file
or directory" or "executable file not found in" for 127.
So only what is wrong with the payload may be told in these words, and a host without KVM may not.
"""

from __future__ import annotations

import posix
import time

FAILED = 125
CANNOT_RUN = 126
NOT_FOUND = 127


class KrunError(Exception):
    """An error that is reported without a traceback: what happened, and what to do about it."""

    def __init__(self, problem: str, fix: str, status: int = FAILED) -> None:
        """Keep PROBLEM and FIX, both without a full stop, and the STATUS of `run` and `exec`."""
        super().__init__(problem)
        self.problem = problem
        self.fix = fix
        self.status = status

    def __str__(self) -> str:
        """Return the two lines that a user reads."""
        return f"krun: {self.problem}.\nTo fix: {self.fix}."


def report(error: KrunError, log: str | None, log_format: str | None) -> None:
    """Write ERROR to standard error and, as one entry, to the engine's file LOG."""
    if log:
        try:
            _append(log, _entry(str(error), log_format))
        except OSError as reason:
            _write(2, f"krun: cannot write to {log}: {reason.strerror}.\n")
    _write(2, f"{error}\n")


def _entry(message: str, log_format: str | None) -> str:
    """Return one log entry as runc writes it: a JSON object, or logrus's text."""
    from krun import document  # noqa: PLC0415 - for errors only

    stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    if log_format == "json":
        return document.dumps({"level": "error", "msg": message, "time": stamp}) + "\n"
    return f'time="{stamp}" level=error msg={document.dumps(message)}\n'


def _append(path: str, text: str) -> None:
    flags = posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOCTTY
    fd = posix.open(path, flags, 0o644)
    try:
        posix.write(fd, text.encode())
    finally:
        posix.close(fd)


def _write(fd: int, text: str) -> None:
    """Write TEXT to FD, which the caller may have closed: then there is nobody to tell."""
    try:
        posix.write(fd, text.encode(errors="backslashreplace"))
    except OSError:
        return
