# SPDX-License-Identifier: Apache-2.0
"""Look for words and titles that docs/style.md rules out: `python3 tools/docs/words.py [FILE ...]`.

Without files it reads every page of the repository; of a decision record the title
alone, since a record stays what it was. Commands and their output, `code` and links are not read.
The exit status is 1 where something is found.
"""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PAGES = ("*.md",)
RECORDS = "docs/decisions/0"

WORDS = {
    r"\bnatively\b": "say where: on the host, outside km, without a VM",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\bkin\b": "similar",
    r"\b(go|goes|going|went) on\b": "continue, resume, happen",
    r"\bbeside\b": "next to, compared with, relative to, together with",
    r"(^|[.:;|] )(Who|Whoever|Whom)\b(?![^.|]*\?)": "name the actor: a user who, a process that",
    r"(^|[.:;|] )(What|Whatever)\b(?![^.|]*\?)": "name the thing: a file that, the part that",
    r"[:;] (who|whoever|what|whatever)\b": "name the actor or the thing",
    r"\b(by|of|for|to|from|with|and|or) who(ever|m)?\b": "name the actor",
    r"\b(is|are|was|were) told\b": "name the actor: the installer tells Docker",
    r"\banew\b": "again",
    r"\bsomebody( else)?\b": "name the actor: another user, another program",
}
"""Patterns of a line, whatever their case where they do not begin a sentence, and what to write."""

TITLE = re.compile(r"^#+ (What|Who|Whom|Where|When|How|Why|If|That|It|They|There)\b(?!.*\?$)")
TITLE_ADVICE = "make the title a noun phrase or an imperative"
CODE = re.compile(r"```.*?^```|`[^`\n]*`|\]\([^)]*\)|<[^>\n]*>", re.DOTALL | re.MULTILINE)


def blank(match: re.Match[str]) -> str:
    """Return a text of the same lines and columns, without words."""
    return re.sub(r"[^\n]", "~", match[0])


def findings(name: str, text: str) -> Iterator[str]:
    """Yield `NAME:LINE: FOUND: ADVICE` for each finding in a page."""
    record = name.startswith(RECORDS)
    for number, line in enumerate(CODE.sub(blank, text).splitlines(), 1):
        title = TITLE.match(line)
        if title:
            yield f"{name}:{number}: {title[0]}: {TITLE_ADVICE}"
        if record and not line.startswith("# "):
            continue
        for pattern, advice in WORDS.items():
            flags = 0 if pattern.startswith("(^") else re.IGNORECASE
            for found in re.finditer(pattern, line, flags):
                yield f"{name}:{number}: {found[0].strip()}: {advice}"


def tracked() -> list[str]:
    """Return the pages of the repository."""
    done = subprocess.run(
        ["git", "ls-files", "-z", *PAGES], cwd=ROOT, capture_output=True, text=True, check=True
    )
    return [name for name in done.stdout.split("\0") if name]


def main(names: list[str]) -> int:
    """Print the findings."""
    found = [
        finding
        for name in names or tracked()
        for finding in findings(name, (ROOT / name).read_text(encoding="utf-8"))
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
