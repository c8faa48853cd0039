# SPDX-License-Identifier: Apache-2.0
"""A refusal of km: a status of its own and two lines."""

import re
import subprocess
from collections.abc import Sequence

from .compare import TIMEOUT_S

FAILED, CANNOT_RUN, NOT_FOUND = 125, 126, 127

_TWO_LINES = re.compile(r"km: [^\n]+\.\nTo fix: [^\n]+\.\n")


def run(command: Sequence[object], **options: object) -> "subprocess.CompletedProcess[str]":
    """Run a command to its end and return what it said."""
    return subprocess.run(  # type: ignore[call-overload,no-any-return]
        [str(word) for word in command],
        capture_output=True,
        check=False,
        text=True,
        errors="surrogateescape",
        timeout=TIMEOUT_S,
        **options,
    )


def assert_refused(done: "subprocess.CompletedProcess[str]", status: int, *words: str) -> None:
    """Assert that km refused with this status, in two lines that hold these words."""
    assert (done.returncode, done.stdout) == (status, ""), done
    assert _TWO_LINES.fullmatch(done.stderr), done.stderr
    for word in words:
        assert word in done.stderr
