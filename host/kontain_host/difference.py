# SPDX-License-Identifier: Apache-2.0
"""A three-way difference: Kontain's text, the text after an edit, and the text wanted now."""

from __future__ import annotations

import difflib
from typing import List


def three_way(base: str, theirs: str, ours: str, path: str) -> str:
    """Return both sides' changes to `base`, as two unified differences; "" where there is none.

    `base` is what Kontain made, `theirs` what is there now, `ours` what shall be there.
    """
    edits = _unified(base, theirs, f"{path} as Kontain made it", f"{path} as it is now")
    wishes = _unified(base, ours, f"{path} as Kontain made it", f"{path} as it is wanted")
    return "".join([*edits, *wishes])


def _unified(old: str, new: str, old_name: str, new_name: str) -> List[str]:
    lines = difflib.unified_diff(
        old.splitlines(keepends=True), new.splitlines(keepends=True), old_name, new_name, n=2
    )
    return [
        line if line.endswith("\n") else f"{line}\n\\ no newline at the end\n" for line in lines
    ]
