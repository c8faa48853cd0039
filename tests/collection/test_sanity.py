# SPDX-License-Identifier: Apache-2.0
"""ansible-test's sanity tests, those that need no network, on what ansible-galaxy installed."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

PYTHON = f"{sys.version_info.major}.{sys.version_info.minor}"
TESTS = (
    "action-plugin-docs",
    "compile",
    "empty-init",
    "line-endings",
    "no-assert",
    "no-get-exception",
    "no-illegal-filenames",
    "no-smart-quotes",
    "replace-urlopen",
    "shebang",
    "symlinks",
    "use-argspec-type-path",
)


@pytest.mark.slow
def test_sanity(installed: Path, ansible_environment: dict[str, str]) -> None:
    """The collection passes, with no exception but those in tests/sanity/."""
    chosen = [word for test in TESTS for word in ("--test", test)]
    said = subprocess.run(
        ["ansible-test", "sanity", "--color", "no", "--python", PYTHON, *chosen],
        cwd=installed / "ansible_collections/kontain/platform",
        env=ansible_environment,
        check=False,
        capture_output=True,
        text=True,
    )

    assert said.returncode == 0, said.stdout + said.stderr
    assert (said.stdout + said.stderr).count("Running sanity test") == len(TESTS)
