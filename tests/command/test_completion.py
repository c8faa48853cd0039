# SPDX-License-Identifier: Apache-2.0
"""bash completes the verbs and options of `kontain`, and all of them."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from tests.host.small_host import KONTAIN

SCRIPT = Path(KONTAIN).parents[1] / "completion/kontain"
VERBS = ["info", "why", "install", "plan", "apply", "rollback", "uninstall", "support"]
VERBS += ["check", "verify", "register", "unregister"]


def complete(*words: str) -> list[str]:
    """Return what bash offers for the last word of a command line."""
    line = " ".join(f"'{word}'" for word in words)
    script = f"""
        source {SCRIPT}
        COMP_WORDS=({line}) COMP_CWORD={len(words) - 1}
        _kontain
        printf '%s\\n' "${{COMPREPLY[@]}}"
    """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert done.stderr == ""
    return done.stdout.split()


def help_of(*verb: str) -> str:
    """Return a help text."""
    return subprocess.run(
        [KONTAIN, *verb, "--help"], capture_output=True, text=True, check=True
    ).stdout


@pytest.mark.parametrize("verb", VERBS)
def test_every_option_is_offered(verb: str) -> None:
    """The completion offers exactly the words that --help lists."""
    listed = set(re.findall(r"(?<![\w-])--[a-z][a-z0-9-]*", help_of(verb).split("Exit status")[0]))
    assert set(complete("kontain", verb, "-")) == listed | {"--help"}


def test_every_verb_is_offered() -> None:
    """All verbs of --help are offered for the first word, and by their beginning."""
    listed = re.findall(r"^    ([a-z]+)(?: |$)", help_of(), re.MULTILINE)
    assert set(listed) >= {"check", "rollback", "image"}
    offered = complete("kontain", "")
    assert set(offered) - {"--help", "--version"} == set(listed)
    assert complete("kontain", "ro") == ["rollback"]


def test_files_and_engines_are_offered(tmp_path: Path) -> None:
    """A bundle is a file; --engines is followed by an engine."""
    (tmp_path / "bundle.tar.gz").touch()
    assert complete("kontain", "install", f"{tmp_path}/bun") == [f"{tmp_path}/bundle.tar.gz"]
    assert "podman" in complete("kontain", "install", "--engines", "")
