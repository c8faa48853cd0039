# SPDX-License-Identifier: Apache-2.0
"""krun's notes: JSON objects, one a line, in the host's log, or about a container that they go with.

The latter lie in the container's folder of `state.shadow_path`. A host whose policy asks for none
of it has none.
"""

from __future__ import annotations

import posix
import time

from krun import document, shadow, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_APPEND = (
    posix.O_WRONLY | posix.O_APPEND | posix.O_CREAT | posix.O_CLOEXEC | posix.O_NOFOLLOW
    | posix.O_NOCTTY | posix.O_NONBLOCK
)  # fmt: skip
"""Nothing is waited for: a pipe that nobody reads is an error."""


def path(root: str, container_id: str, name: str) -> str:
    """Return the path of the record NAME of a container below ROOT."""
    return f"{state.shadow_path(root, container_id)}/{name}"


def append(path: str, entry: dict[str, Any]) -> None:
    """Append ENTRY to the file PATH, in one write, so that entries of two writers never mix."""
    fd = posix.open(path, _APPEND, 0o600)
    try:
        posix.write(fd, f"{document.dumps(entry)}\n".encode())
    finally:
        posix.close(fd)


def log(path: str, event: str, members: dict[str, Any]) -> dict[str, Any]:
    """Append an entry with the time, EVENT and MEMBERS to the host's log PATH; return it."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    entry = {"time": now, "event": event, **members}
    shadow.make_parents(path)
    append(path, entry)
    return entry


def entries(path: str) -> list[dict[str, Any]]:
    """Return the entries in the file PATH, none where there is no such file."""
    try:
        text = document.read(path).decode()
    except FileNotFoundError:
        return []
    return [document.loads(line) for line in text.splitlines()]
