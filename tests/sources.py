# SPDX-License-Identifier: Apache-2.0
"""The sources as a clone of this repository has them, and their bundle, for tests that install it."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def built_sum() -> str:
    """Return the SHA-256 of the bundle that `make bundle` made, by which hosts know it."""
    noted = ROOT / "build/bundle.sha256"
    return noted.read_text(encoding="ascii").split()[0]


def pack_sources() -> bytes:
    """Return a tar of all files under version control and of those not committed yet."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    names = subprocess.run(listed, cwd=ROOT, check=True, capture_output=True).stdout
    # A file that was removed and not committed yet is in the list.
    present = [
        name for name in names.split(b"\0") if name and os.path.lexists(ROOT / os.fsdecode(name))
    ]
    pack = ["tar", "-c", "--null", "--files-from=-"]
    packed = subprocess.run(
        pack, cwd=ROOT, input=b"\0".join(present), check=True, capture_output=True
    )
    return packed.stdout
