# SPDX-License-Identifier: Apache-2.0
"""The folder of a run of pytest, and other users' way to a test's own folder in it."""

from __future__ import annotations

import tempfile
from pathlib import Path

PREFIX = "kontain-tests-"


def open_to_users(folder: Path) -> None:
    """Let every user reach and list `folder`, which is below the one for temporary files."""
    temporary = Path(tempfile.gettempdir())
    for each in (folder, *folder.parents):
        if temporary in each.parents:
            each.chmod(each.stat().st_mode | 0o055)
