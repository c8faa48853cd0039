# SPDX-License-Identifier: Apache-2.0
"""Read outcomes from files, such as the logs of a cluster's nodes, in which they are lines among others."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Dict, List, Optional

from kontain_preflight.errors import WRONG_USAGE, HostError

from .record import BAD, CHANGED, GOOD, Outcome
from .told import misfits

STANDARD_INPUT = "-"


def read(files: List[str]) -> Dict[str, Outcome]:
    """Return the last outcome of each host in the files; "-" is standard input.

    Raises HostError for a file without any, and for a line that is meant to be one and is none: a
    node may say what it likes.
    """
    found: Dict[str, Outcome] = {}
    for file in files:
        lines = _text(file).splitlines()
        outcomes = [
            _outcome(line, f"{file}, line {number}") for number, line in enumerate(lines, 1)
        ]
        here = {one.host: one for one in outcomes if one}
        if not here:
            raise _unreadable(file, "it has no line with the outcome of a host")
        found.update(here)
    return found


def _text(file: str) -> str:
    try:
        raw = sys.stdin.buffer.read() if file == STANDARD_INPUT else Path(file).read_bytes()
    except OSError as problem:
        raise _unreadable(file, problem.strerror or str(problem)) from problem
    return raw.decode(errors="replace")


def _outcome(line: str, place: str) -> Optional[Outcome]:
    """Return the outcome that a line is, None for a line of another kind."""
    try:
        found = json.loads(line) if line.startswith("{") else None
    except (ValueError, RecursionError):
        return None
    if not isinstance(found, dict) or not {"host", "outcome"} <= set(found):
        return None
    wrong = misfits({name: value for name, value in found.items() if name != "outcome"})
    wrong += [] if found["outcome"] in (GOOD, CHANGED, *BAD) else ["outcome"]
    if wrong:
        raise _unreadable(place, f"the member {wrong[0]!r} of an outcome is not as it should be")
    return Outcome(**found)


def _unreadable(place: str, why: str) -> HostError:
    fix = "give files with the lines of results.jsonl, or the logs of the containers `install` of nodes"
    return HostError(f"cannot read {place}", why, fix, WRONG_USAGE)
