# SPDX-License-Identifier: Apache-2.0
"""tools/docs/words.py finds the words and titles that docs/style.md rules out, and no others."""

import pytest

from tools.docs import words


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("# What km costs", "# What"),
        ("## How it works", "## How"),
        ("Who runs code in the monitor can still read.", "Who"),
        ("Nothing changed. What follows is the proof.", ". What"),
        ("The program goes on there.", "goes on"),
        ("ptrace and its kin fail.", "kin"),
        ("Docker is told of the runtime.", "is told"),
        ("The program also runs natively.", "natively"),
    ],
)
def test_a_word_is_found(line: str, found: str) -> None:
    """A page with such a word or title is named with its line and a better way."""
    (finding,) = words.findings("page.md", f"text\n{line}\n")
    assert finding.startswith(f"page.md:2: {found}: ")


@pytest.mark.parametrize(
    "line",
    [
        "## What is a program?",
        "# Security model",
        "A user who runs code there, and what it reads.",
        "`natively`, [text](what/goes on.md), <kin>",
        "```\nWho goes on\n```",
    ],
)
def test_other_words_are_not(line: str) -> None:
    """A question, a noun before the pronoun, code and links are left alone."""
    assert not list(words.findings("page.md", f"{line}\n"))


@pytest.mark.parametrize(
    ("name", "source", "line"),
    [
        ("a.c", "// SPDX\n/*\n * a.c: calls.\n *\n * Who waits is told.\n */\nint a;", 5),
        ("a.c", 'int a;\ncomplain("go on", "it cannot go on here");', 2),
        ("a.py", '"""Module.\n\nIt goes on.\n"""', 3),
        ("a.py", 'def f():\n    """What it returns."""', 2),
        ("a.py", 'die("somebody else has it")', 1),
        ("script", "#!/bin/sh\necho start it anew", 2),
        ("a.yml", "description: What was found", 1),
    ],
)
def test_so_is_one_of_code_that_people_read(name: str, source: str, line: int) -> None:
    """Headers, messages, docstrings, scripts and YAML are read like pages."""
    found = list(words.findings(name, source))
    assert found
    assert all(finding.startswith(f"{name}:{line}: ") for finding in found)


@pytest.mark.parametrize(
    ("name", "source"),
    [
        ("a.c", "/* a.c: calls. */\n/* who goes on */\nint kin;"),
        ("a.py", 'kin = "kin"  # what goes on\n'),
        ("a.py", 'def f():\n    """Return it.\n\n    What goes on inside.\n    """'),
    ],
)
def test_names_and_comments_inside_are_not(name: str, source: str) -> None:
    """Identifiers, single words, and comments of a body are the programmer's."""
    assert not list(words.findings(name, source))


def test_of_a_record_the_title_alone_is_read() -> None:
    """A decision record stays as it was written, but for its title."""
    page = "# 0001. What holds\n\nWho goes on?\n"
    findings = list(words.findings("docs/decisions/0001-title.md", page))
    assert len(findings) == 1
