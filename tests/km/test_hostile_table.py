# SPDX-License-Identifier: Apache-2.0
"""The table of docs/explanation/security.md names the tests that there are."""

import re
import string
from pathlib import Path

from . import payloads

TESTS = Path(__file__).resolve().parent
PAGE = TESTS.parents[1] / "docs" / "explanation" / "security.md"
ROW = re.compile(r"^\| ?([a-z]?) \| .* \| (`.*`) \|$", re.MULTILINE)
LAST_LINE = "o"


def test_table_is_whole() -> None:
    """Each line has tests, each test is there, and each hostile payload is in a line."""
    rows = ROW.findall(PAGE.read_text(encoding="utf-8"))
    letters = "".join(letter for letter, _ in rows)
    named = {name for _, names in rows for name in re.findall(r"`([^`]+)`", names)}
    files = {name for name in named if name.endswith(".py")}
    assert letters == string.ascii_lowercase[: string.ascii_lowercase.index(LAST_LINE) + 1]
    assert {name for name in files if not (TESTS / name).exists()} == set()
    assert named - files <= {payload.name for payload in payloads.PAYLOADS}
    assert {payload.name for payload in payloads.HOSTILE} <= named
