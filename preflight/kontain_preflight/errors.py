# SPDX-License-Identifier: Apache-2.0
"""The two lines of every failure that a user may see, and the exit status that it has."""

from __future__ import annotations

FAILED = 1
WRONG_USAGE = 2
HOST_REFUSED = 3
NOT_ROOT = 4
UNTRUSTED = 5  # of install.sh also: a bundle or package could not be had
DRIFTED = 6
IN_USE = 7
INTERRUPTED = 130

FIX = "To fix: "
"""The beginning of the second line."""


class HostError(Exception):
    """A failure that the user can act upon: its event, its reason, and a remedy.

    `str()` gives the two lines of every Kontain message without the program's name before them.
    """

    def __init__(self, what: str, why: str, fix: str, status: int = FAILED) -> None:
        """Keep the three parts; none of them ends with a full stop, and `why` may be ""."""
        super().__init__(what, why, fix, status)
        self.what = what
        self.why = why
        self.fix = fix
        self.status = status
        self.difference = ""  # three-way, where somebody else's edit is in the way

    def __str__(self) -> str:
        """Return the message's two lines."""
        return f"{': '.join(filter(None, (self.what, self.why)))}.\n{FIX}{self.fix}."
