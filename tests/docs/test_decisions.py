# SPDX-License-Identifier: Apache-2.0
"""The index of decisions has each of them, under its own title."""

import re
from pathlib import Path

DECISIONS = Path(__file__).resolve().parents[2] / "docs" / "decisions"
ROW = re.compile(
    r"^\| \[(?P<number>\d{4})\]\((?P<file>\S+)\) \| (?P<title>.+?) \| (?P<area>\S+) \| "
    r"(?P<status>in force|superseded by \[(?P<by>\d{4})\]\(\S+\)) \| \d{4}-\d\d-\d\d \| (?:none|\[.+\]\(.+\)) \|$",
    re.MULTILINE,
)


def test_index_lists_every_decision_by_its_title() -> None:
    """Number, file and title of each row are those of a page, in the order of the numbers."""
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    rows = [(row["number"], row["file"], row["title"]) for row in ROW.finditer(index)]
    pages = []
    for page in sorted(DECISIONS.glob("[0-9]*.md")):
        number, title = page.read_text(encoding="utf-8").split("\n", 1)[0][2:].split(". ", 1)
        pages.append((number, page.name, title))
    assert rows == pages
    assert index.count("\n| [") == len(rows), "a row is not in the form of the others"


def test_what_supersedes_is_there() -> None:
    """A decision that is superseded names one that is in the index."""
    index = (DECISIONS / "README.md").read_text(encoding="utf-8")
    numbers = {row["number"] for row in ROW.finditer(index)}
    assert {row["by"] for row in ROW.finditer(index) if row["by"]} <= numbers
