# SPDX-License-Identifier: Apache-2.0
"""krun's own messages: to its caller, and errors to the engine's log as well."""

from __future__ import annotations

import posix
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from krun.errors import KrunError


def say(text: str, status: int = 0) -> int:
    """Print TEXT and return STATUS."""
    rest = text.encode(errors="surrogateescape")
    while rest:
        rest = rest[posix.write(1, rest) :]
    return status


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
