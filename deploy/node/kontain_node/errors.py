# SPDX-License-Identifier: Apache-2.0
"""The failure that a cluster's operator may see, in Kontain's two lines."""

from __future__ import annotations


class NodeError(Exception):
    """An error: its event, its reason, and a remedy; none of them ends with a full stop."""

    def __init__(self, what: str, why: str, fix: str) -> None:
        """Keep the three parts."""
        super().__init__(what, why, fix)
        self.what, self.why, self.fix = what, why, fix

    def __str__(self) -> str:
        """Return the message's two lines."""
        return f"{self.what}: {self.why}.\nTo fix: {self.fix}."
