# SPDX-License-Identifier: Apache-2.0
"""git refuses a commit whose message CONTRIBUTING.md does not allow."""

import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
WHO = {
    f"GIT_{role}_{part}": value
    for role in ("AUTHOR", "COMMITTER")
    for part, value in (("NAME", "A. Nobody"), ("EMAIL", "nobody@example.org"))
}


def commit(folder: Path, message: str) -> "subprocess.CompletedProcess[str]":
    """Commit nothing under this message, in a repository that uses the project's hooks."""
    environment = {**os.environ, **WHO, "GIT_CONFIG_GLOBAL": os.devnull}
    subprocess.run(["git", "init", "--quiet", folder], check=True, env=environment)
    return subprocess.run(
        ["git", "-C", folder, "-c", f"core.hooksPath={ROOT / 'tools/hooks'}",
         "commit", "--quiet", "--allow-empty", "--message", message],
        capture_output=True, text=True, check=False, env=environment,
    )  # fmt: skip


@pytest.mark.parametrize(
    "message",
    [
        "km: keep the sign of a negative offset",
        "km, krun: take one list of calls",
        "tests/docs: run the blocks of a page in order\n\nA block may need what the one before made.",
        "docs: name the source\n\nhttps://example.org/" + "a" * 80,
        'Revert "km: keep the sign of a negative offset"',
    ],
)
def test_a_good_message_is_taken(tmp_path: Path, message: str) -> None:
    """A subject with its area, in the imperative, and a body of 72 columns pass."""
    done = commit(tmp_path, message)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("message", "why"),
    [
        ("keep the sign of a negative offset", "names no area"),
        ("KM: keep the sign", "names no area"),
        ("km: " + "keep the sign of it " * 4, "columns"),
        ("km: fixed the sign", "'fixed' is not imperative"),
        ("km: fixing the sign", "'fixing' is not imperative"),
        ("km: keep the sign\nof a negative offset", "the second line is not empty"),
        ("km: keep the sign\n\n" + "a word " * 12, "longer than 72 columns"),
    ],
)
def test_a_bad_message_is_refused_with_its_reason(tmp_path: Path, message: str, why: str) -> None:
    """Two lines say what is wrong and how a message is written, and nothing is committed."""
    done = commit(tmp_path, message)
    first, second = done.stderr.splitlines()[:2]
    assert done.returncode != 0
    assert first.startswith("commit-msg: ")
    assert why in first
    assert second.startswith("To fix: ")
