# SPDX-License-Identifier: Apache-2.0
"""The command lines that engines, crun and runc know."""

from __future__ import annotations

import pytest

from krun import options
from krun.errors import KrunError


def scan(verb: str, *words: str) -> tuple[list[tuple[str, str | None]], list[str]]:
    """Scan WORDS as those after VERB."""
    values = options.VALUES.get(verb, frozenset())
    letters = options.LETTERS.get(verb, {})
    found, arguments = options.scan(list(words), values, letters, in_order=verb == "exec")
    return found.items, arguments


@pytest.mark.parametrize(
    "words",
    [
        ["--bundle", "b", "c"],
        ["--bundle=b", "c"],
        ["-bundle", "b", "c"],
        ["-b", "b", "c"],
        ["-bb", "c"],
        ["-b=b", "c"],
        ["c", "--bundle", "b"],
        ["--bundle", "b", "--", "c"],
    ],
)
def test_option_value_in_every_form(words: list[str]) -> None:
    """`--flag=v`, `--flag v`, `-flag v` and a letter are the same, before or after the ID."""
    assert scan("create", *words) == ([("bundle", "b")], ["c"])


def test_value_that_is_a_verb_is_no_verb() -> None:
    """`--bundle create` names a folder."""
    assert scan("create", "--bundle", "create", "c") == ([("bundle", "create")], ["c"])


def test_cluster_of_letters() -> None:
    """For crun, `-td` is two flags, and a letter with a value may end a cluster."""
    assert scan("exec", "-td", "c") == ([("tty", None), ("detach", None)], ["c"])
    assert scan("exec", "-tp", "f", "c") == ([("tty", None), ("process", "f")], ["c"])


def test_long_flag_with_one_dash_is_no_cluster() -> None:
    """For runc, `-detach` is `--detach`, though its letters could be flags."""
    assert scan("exec", "-detach", "c") == ([("detach", None)], ["c"])


def test_words_of_the_command_are_not_options() -> None:
    """Words after the ID of an exec belong to the program, in any form."""
    assert scan("exec", "-e", "A=1", "c", "ls", "--user", "-l", "--") == (
        [("env", "A=1")],
        ["c", "ls", "--user", "-l", "--"],
    )


def test_unknown_options_survive() -> None:
    """An option of a later backend is handed on."""
    found, _ = options.scan(["--new=1", "--other", "c"], frozenset(), {}, in_order=False)

    assert found.words() == ["--new=1", "--other"]


def test_missing_value_is_an_error() -> None:
    """An option that lacks its value is not taken for one that has none."""
    with pytest.raises(KrunError, match="--bundle has no value"):
        scan("create", "--bundle")
