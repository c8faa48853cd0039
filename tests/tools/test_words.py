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


def test_of_a_record_the_title_alone_is_read() -> None:
    """A decision record stays as it was written, but for its title."""
    page = "# 0001. What holds\n\nWho goes on?\n"
    findings = list(words.findings("docs/decisions/0001-title.md", page))
    assert len(findings) == 1
