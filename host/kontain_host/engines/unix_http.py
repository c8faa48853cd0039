# SPDX-License-Identifier: Apache-2.0
"""HTTP over a unix socket, as dockerd and CRI-O speak it."""

from __future__ import annotations

import http.client
import socket
from typing import Tuple

_ANSWER_TIMEOUT_S = 10


class _UnixConnection(http.client.HTTPConnection):
    """A connection to the socket at `path`."""

    def __init__(self, path: str) -> None:
        super().__init__("localhost", timeout=_ANSWER_TIMEOUT_S)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def request(socket_path: str, path: str) -> Tuple[int, bytes]:
    """Return status and content of an answer; raise OSError when there is none."""
    connection = _UnixConnection(socket_path)
    try:
        connection.request("GET", path)
        answer = connection.getresponse()
        return answer.status, answer.read()
    except http.client.HTTPException as error:
        raise OSError(str(error) or type(error).__name__) from None
    finally:
        connection.close()


def get(socket_path: str, path: str) -> bytes:
    """Return the content of an answer of status 200; raise OSError for anything else."""
    status, content = request(socket_path, path)
    if status != http.client.OK:
        message = f"{path} gave the status {status}"
        raise OSError(message)
    return content
