# SPDX-License-Identifier: Apache-2.0
"""The error that krun reports.

Engines judge by words: podman and docker take "permission denied" for status 126, and "no such file
or directory" or "executable file not found in" for 127.
So only what is wrong with the payload may be told in these words, and a host without KVM may not.
"""

from __future__ import annotations

FAILED = 125
CANNOT_RUN = 126
NOT_FOUND = 127


class KrunError(Exception):
    """An error that is reported without a traceback: the failure, and the remedy."""

    def __init__(self, problem: str, fix: str, status: int = FAILED) -> None:
        """Keep PROBLEM and FIX, both without a full stop, and the STATUS of `run` and `exec`."""
        super().__init__(problem)
        self.problem = problem
        self.fix = fix
        self.status = status

    def __str__(self) -> str:
        """Return the two lines that a user reads."""
        return f"krun: {self.problem}.\nTo fix: {self.fix}."
