# SPDX-License-Identifier: Apache-2.0
"""Turn what goes wrong on a host into the two lines that a user may see."""

from __future__ import annotations

import contextlib
import sys
from typing import Iterator

from .looks import errors
from .way_out import way_out

DRIFTED = errors.DRIFTED
FAILED = errors.FAILED
HOST_REFUSED = errors.HOST_REFUSED
IN_USE = errors.IN_USE
INTERRUPTED = errors.INTERRUPTED
NOT_ROOT = errors.NOT_ROOT
UNTRUSTED = errors.UNTRUSTED
WRONG_USAGE = errors.WRONG_USAGE
HostError = errors.HostError


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
