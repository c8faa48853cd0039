# SPDX-License-Identifier: Apache-2.0
"""Every failure that a user may see, and the exit status that it has."""

from __future__ import annotations

import contextlib
import sys
from typing import Iterator

from .way_out import way_out

FAILED = 1
WRONG_USAGE = 2
HOST_REFUSED = 3
NOT_ROOT = 4
UNTRUSTED = 5  # of install.sh also: a bundle or package could not be had
DRIFTED = 6
IN_USE = 7
INTERRUPTED = 130


class HostError(Exception):
    """A failure that the user can act upon: what happened, why, and what to do.

    `str()` gives the two lines of every Kontain message without the program's name before them.
    """

    def __init__(self, what: str, why: str, fix: str, status: int = FAILED) -> None:
        """Keep the three parts; none of them ends with a full stop."""
        super().__init__(what, why, fix, status)
        self.what = what
        self.why = why
        self.fix = fix
        self.status = status
        self.difference = ""  # three-way, where somebody else's edit is in the way

    def __str__(self) -> str:
        """Return the message's two lines."""
        return f"{self.what}: {self.why}.\nTo fix: {self.fix}."


@contextlib.contextmanager
def named(what: str) -> Iterator[None]:
    """Turn an error of the operating system into one that says `what` failed and what to do."""
    try:
        yield
    except OSError as error:
        place = f" ({error.filename})" if error.filename else ""
        why = f"{error.strerror or error}{place}"
        raise HostError(what, why, way_out(error)) from error


def complain(error: HostError) -> None:
    """Print the two lines of an error, and before them the difference that it is about."""
    print(indented(error.difference), end="", file=sys.stderr)
    print(f"kontain: {error}", file=sys.stderr)


def indented(text: str) -> str:
    """Return a text whose lines stand four columns to the right."""
    return "".join(f"    {line}" for line in text.splitlines(keepends=True))
