# SPDX-License-Identifier: Apache-2.0
"""The output of the command `kontain`: reports, JSON, progress and errors."""

from __future__ import annotations

import contextlib
import json
import sys
from typing import Any, Iterator

from kontain_host.errors import indented
from kontain_host.report import Report

_WIDTH = 79


def print_json(value: Any) -> int:
    """Print one JSON value; return the status 0."""
    json.dump(value, sys.stdout, indent=2)
    print()
    return 0


def print_report(report: Report, *, as_json: bool, dry_run: bool = False) -> int:
    """Print what was done; return the status 0."""
    if as_json:
        return print_json({"dry_run": dry_run, **report.as_dict()})
    for change in report.changes:
        print(f"{change['owner']:<8} {change['kind']:<16} {change['path']}: {change['reason']}")
    for left in report.left:
        print(f"left     {left['path']}: {left['why']}")
        print(indented(left.get("difference", "")), end="")
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    done = "would change" if dry_run else "changed"
    count = len(report.changes)
    print(
        f"{count} {'thing' if count == 1 else 'things'} {done}." if count else "Nothing to change."
    )
    return 0


def tell(step: str) -> None:
    """Show the step that is being made on the last line of a terminal."""
    if sys.stderr.isatty():
        print(f"\r\033[K{step[:_WIDTH]}", end="", file=sys.stderr, flush=True)


@contextlib.contextmanager
def show_progress() -> Iterator[None]:
    """Have the line of `tell` gone when the work has ended, whatever the end."""
    try:
        yield
    finally:
        if sys.stderr.isatty():
            print("\r\033[K", end="", file=sys.stderr, flush=True)
