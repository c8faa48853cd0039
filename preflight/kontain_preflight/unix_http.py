# SPDX-License-Identifier: Apache-2.0
"""HTTP over a unix socket, as far as the daemons of engines need it to be asked.

HTTP/1.0, so that an answer is what comes until the other side hangs up; http.client would take
20 ms to load.
"""

from __future__ import annotations

import errno
import socket
import time
from typing import Callable, Tuple

OK = 200
NOT_FOUND = 404

_LIMIT_S = 10.0
_MOST = 1 << 26  # bytes: a thousand containers have some three million
_CHUNK = 1 << 16


def listens(place: str, limit_s: float = 2.0) -> bool:
    """Return whether a daemon that this user may talk to listens on the socket at `place`."""
    try:
        with _connection(place, limit_s):
            return True
    except OSError:
        return False


def request(
    place: str, target: str, limit_s: float = _LIMIT_S, most: int = _MOST
) -> Tuple[int, bytes]:
    """Return status and content of an answer; raise OSError when there is none.

    None is also one that takes longer than `limit_s` in all, or has more than `most` bytes: who
    answers may be anybody.
    """
    with _connection(place, limit_s) as connection:
        connection.sendall(f"GET {target} HTTP/1.0\r\nHost: localhost\r\n\r\n".encode("ascii"))
        answer = _read(connection.recv, limit_s, most)
    head, found, content = answer.partition(b"\r\n\r\n")
    version, _, rest = head.partition(b" ")
    if not found or not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
        raise OSError(errno.EPROTO, "no answer of HTTP")
    if len(content) < _length(head):
        raise OSError(errno.EPROTO, "the answer was cut off")
    return int(rest[:3]), content


def get(place: str, target: str, limit_s: float = _LIMIT_S, most: int = _MOST) -> bytes:
    """Return the content of an answer of status 200; raise OSError for anything else."""
    status, content = request(place, target, limit_s, most)
    if status != OK:
        raise OSError(errno.EPROTO, f"{target} gave the status {status}")
    return content


def _connection(place: str, limit_s: float) -> socket.socket:
    connection = socket.socket(socket.AF_UNIX)
    try:
        connection.settimeout(limit_s)
        connection.connect(place)
    except BaseException:
        connection.close()
        raise
    return connection


def _length(head: bytes) -> int:
    """Return how long the content is by its head, 0 where that does not say."""
    for line in head.split(b"\r\n")[1:]:
        name, _, value = line.partition(b":")
        if name.strip().lower() == b"content-length" and value.strip().isdigit():
            return int(value)
    return 0


def _read(receive: Callable[[int], bytes], limit_s: float, most: int) -> bytes:
    """Return what comes until the other side hangs up."""
    answer, deadline = bytearray(), time.monotonic() + limit_s
    while chunk := receive(_CHUNK):
        answer += chunk
        if len(answer) > most or time.monotonic() > deadline:
            raise OSError(errno.EMSGSIZE, "the answer has no end")
    return bytes(answer)
