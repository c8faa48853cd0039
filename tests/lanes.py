# SPDX-License-Identifier: Apache-2.0
"""The lane of a test: long or whole where tests/long.md or tests/whole.md names it, else short."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

TABLES = {lane: Path(__file__).with_name(f"{lane}.md") for lane in ("long", "whole")}
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@cache
def patterns(lane: str) -> dict[str, re.Pattern[str]]:
    """Return the names in a lane's table, each with the pattern of the tests that it means.

    A `*` is any text; what a name leaves out at its end, such as a test's parameters, is any.
    """
    named = ROW.findall(TABLES[lane].read_text(encoding="utf-8"))
    return {
        name: re.compile(".*".join(map(re.escape, name.split("*"))) + r"(?![\w.-]).*")
        for name in named
    }


def names_of(test: str, lane: str) -> list[str]:
    """Return the names in a lane's table that mean a test, which is named as pytest does."""
    return [name for name, pattern in patterns(lane).items() if pattern.fullmatch(test)]
