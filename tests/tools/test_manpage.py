# SPDX-License-Identifier: Apache-2.0
"""The man pages made of Markdown, as man shows them."""

import re
import subprocess
from pathlib import Path

import pytest

from tools.release.manpage import ManError, convert

ROOT = Path(__file__).resolve().parents[2]
PAGES = sorted(ROOT.glob("*/man/*.md"))


def shown(roff: str) -> str:
    """Return the page as man prints it 80 columns wide, and fail when it warns of anything."""
    made = subprocess.run(
        ["man", "--warnings", "--local-file", "-"],
        input=roff,
        check=True,
        capture_output=True,
        text=True,
        env={"PATH": "/usr/bin:/bin", "MANWIDTH": "80", "LC_ALL": "C.UTF-8"},
    )
    assert not made.stderr
    return made.stdout


@pytest.mark.parametrize(
    ("markdown", "printed"),
    [
        ("one\ntwo", "       one two\n"),
        ("one\n\ntwo", "       one\n\n       two\n"),
        ("## USE\n\ntext", "USE\n       text\n"),
        ("### Here\n\ntext", "   Here\n       text\n"),
        ("`a -b` **c** *d*", "       a -b c d\n"),
        ("[text](page.md) <https://x.y/z>", "       text (page.md) https://x.y/z\n"),
        ("- one\n- two\n  and more", "       •   one\n\n       •   two and more\n"),
        ("1. one\n2. two", "       1.  one\n\n       2.  two\n"),
        ("**-x**\n: Does it.", "       -x     Does it.\n"),
        ("```sh\n.a 'b' \\c\n    d\n```", "           .a 'b' \\c\n               d\n"),
        (".so /etc/passwd\n'br\n\\fB", "       .so /etc/passwd 'br \\fB\n"),
        ("<!-- not\nseen -->\ntext", "       text\n"),
    ],
)
def test_markdown_prints_as_it_reads(markdown: str, printed: str) -> None:
    """Each form prints as a reader expects; nothing of the text is taken for roff."""
    page = shown(convert(f"# x(1)\n\n{markdown}\n", "x.1.md", "9"))
    body = page.split("\n", 2)[2].rsplit("\n", 2)[0].rstrip()
    assert body.lstrip("\n") + "\n" == printed


def test_table_prints_its_cells() -> None:
    """A table has its header and cells, and not its rule."""
    page = shown(convert("# x(1)\n\n| a | b |\n|---|---|\n| `c` | d e |\n", "x.1.md", "9"))
    assert [line.split() for line in page.splitlines()[2:4]] == [["a", "b"], ["c", "d", "e"]]


@pytest.mark.parametrize(
    ("markdown", "name"),
    [("# x(1)\n", "x.md"), ("# x(1)\n", "x.9.md"), ("text\n", "x.1.md"), ("", "x.1.md")],
)
def test_what_is_no_page_is_refused(markdown: str, name: str) -> None:
    """A file without a section in its name, or without a title, is refused by name."""
    with pytest.raises(ManError, match=re.escape(name)):
        convert(markdown, name, "9")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_our_pages_are_whole(page: Path) -> None:
    """Every page of ours has a name that whatis finds, and leaves no Markdown behind."""
    text = shown(convert(page.read_text(encoding="utf-8"), page.name, "9"))
    assert re.search(rf"^NAME\n +.*{page.name.split('.')[0]}.* - ", text, re.MULTILINE)
    assert "SEE ALSO\n" in text
    assert not re.search(r"\*\*|```|\]\(", text)
