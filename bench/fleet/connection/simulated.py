# SPDX-License-Identifier: Apache-2.0
"""Ansible connection to hosts that are not there: every module gets one answer at once."""

from __future__ import annotations

DOCUMENTATION = r"""
name: simulated
short_description: Answer for hosts that are not there
description:
  - Whatever is run, the answer is what the file KONTAIN_SIMULATED_ANSWER holds.
  - What is left is the controller's own time.
author: Kontain platform contributors (@kontainapp)
"""

import os
from pathlib import Path
from typing import Any

from ansible.plugins.connection import ConnectionBase  # type: ignore[import-untyped]

ANSWER = Path(os.environ["KONTAIN_SIMULATED_ANSWER"]).read_bytes()


class Connection(ConnectionBase):  # type: ignore[misc]  # Ansible has no types
    """Reaches nobody."""

    transport = "simulated"
    has_pipelining = True

    def _connect(self) -> Connection:
        """Be connected."""
        self._connected = True
        return self

    def exec_command(
        self,
        cmd: str,  # noqa: ARG002  # Ansible's interface
        in_data: bytes | None = None,  # noqa: ARG002  # likewise
        sudoable: bool = True,  # noqa: ARG002, FBT001, FBT002  # likewise
    ) -> tuple[int, bytes, bytes]:
        """Answer."""
        return 0, ANSWER, b""

    def put_file(self, in_path: Any, out_path: Any) -> None:
        """Carry nothing."""

    def fetch_file(self, in_path: Any, out_path: Any) -> None:
        """Carry nothing."""

    def close(self) -> None:
        """End it."""
        self._connected = False
