# SPDX-License-Identifier: Apache-2.0
"""Which lane a test is in: long where tests/long.md names it, else short."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

TABLE = Path(__file__).with_name("long.md")
ROW = re.compile(r"^\| `([^`]+)` \|", re.MULTILINE)


@cache
def patterns() -> dict[str, re.Pattern[str]]:
    """Return what the table names, each with the pattern of the tests that it means.

    A `*` is any text; what a name leaves out at its end, such as a test's parameters, is any.
    """
    named = ROW.findall(TABLE.read_text(encoding="utf-8"))
    return {
        name: re.compile(".*".join(map(re.escape, name.split("*"))) + r"(?![\w.-]).*")
        for name in named
    }


def names_of(test: str) -> list[str]:
    """Return what of the table means a test, which is named as pytest does."""
    return [name for name, pattern in patterns().items() if pattern.fullmatch(test)]
