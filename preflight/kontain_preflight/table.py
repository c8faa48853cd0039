# SPDX-License-Identifier: Apache-2.0
"""A report as a table for people."""

from __future__ import annotations

import os
import sys
from typing import List, TextIO

from .results import FAIL, PASS, SKIP, WARN, Report, Result

_COLOURS = {PASS: "32", WARN: "33", FAIL: "31;1", SKIP: "2"}
_STATUS_WIDTH = 6
_NARROWEST = 30  # of the column of findings; below it they stand on a line of their own


def print_table(report: Report, verdict: str) -> None:
    """Print the results, with cause and fix below those that want one, and the verdict."""
    width = os.get_terminal_size().columns if sys.stdout.isatty() else 0
    colour = uses_colour(sys.stdout)
    ids = max((len(result.check) for result in report.results), default=0)
    for result in report.results:
        print("\n".join(_lines(result, ids, width, colour=colour)))
    print(f"\n{verdict}")


def uses_colour(stream: TextIO) -> bool:
    """Return whether the stream wants colours: a terminal, and no NO_COLOR (no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _lines(result: Result, ids: int, width: int, *, colour: bool) -> List[str]:
    status = f"{result.status:{_STATUS_WIDTH}}"
    if colour:
        status = f"\033[{_COLOURS[result.status]}m{status}\033[0m"
    ignored = " (ignored)" if result.ignored and result.status in (WARN, FAIL) else ""
    indent = _STATUS_WIDTH + ids + 2
    found = _clean(result.found) + ignored
    if width and width - indent < _NARROWEST:
        indent = _STATUS_WIDTH
        lines = [f"{status}{result.check}", *_wrapped(found, indent, width)]
    else:
        first, *more = _wrapped(found, indent, width)
        lines = [f"{status}{result.check:{ids}}  {first.lstrip()}", *more]
    if result.cause:
        lines += _wrapped(f"Why: {_clean(result.cause)}.", indent, width)
    if result.fix:
        # Not wrapped: what is pasted must be one line.
        lines.append(f"{' ' * indent}To fix: {_clean(result.fix)}.")
    return lines


def _wrapped(text: str, indent: int, width: int) -> List[str]:
    """Return the text in lines that fit; a `width` of 0 fits all."""
    lines: List[str] = []
    for word in text.split():
        if lines and (not width or indent + len(lines[-1]) + 1 + len(word) <= width):
            lines[-1] += f" {word}"
        else:
            lines.append(word)
    return [" " * indent + line for line in lines or [""]]


def _clean(text: str) -> str:
    """Return text that a terminal may show: a program's output may hold control characters."""
    return "".join(char if char.isprintable() else "?" for char in text)
