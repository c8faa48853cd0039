# SPDX-License-Identifier: Apache-2.0
"""The part of a host that an ordinary user may change: their own engines' configurations."""

from __future__ import annotations

import os
import pwd
from typing import Callable

from .host import Host, keep_silent


class UserHost(Host):
    """The host of an ordinary user: their rootless engine, with a journal in their home.

    Their folders are where HOME and the XDG Base Directory Specification say.
    """

    def __init__(self, tell: Callable[[str], None]) -> None:
        """Take the host of this process's user; `tell` as `Host` has it."""
        super().__init__(tell=tell)
        self.environment = {"HOME": pwd.getpwuid(os.geteuid()).pw_dir, **os.environ}
        folder = (
            self.environment.get("XDG_STATE_HOME") or f"{self.environment['HOME']}/.local/state"
        )
        self.state = f"{folder}/kontain"

    def require_root(self) -> None:
        """Refuse nothing: the kernel lets a user change their own files only."""


def own_host(tell: Callable[[str], None] = keep_silent) -> Host:
    """Return the host that this process's user may change: root all of it."""
    return Host(tell=tell) if os.geteuid() == 0 else UserHost(tell)
