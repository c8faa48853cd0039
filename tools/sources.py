# SPDX-License-Identifier: Apache-2.0
"""The sources as a clone of this repository has them, for tests that build or install from one."""

import os
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


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
