# SPDX-License-Identifier: Apache-2.0
"""The preparations that the examples' pages name: programs compiled, libraries fetched."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.krun.support import need_programs

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/Dockerfile"))
BUILDERS = re.compile(
    r"^(?:/opt/kontain/bin/gcc-kontain|CGO_ENABLED=0 (?P<go>go) build|(?P<javac>javac)|(?P<npm>npm) install|"
    r"python3 -m pip) .*$",
    re.MULTILINE,
)


def prepare(name: str, folder: Path) -> None:
    """Copy an example to FOLDER, and do there what its page says up to the image."""
    shutil.copytree(ROOT / "examples" / name, folder)
    for line in BUILDERS.finditer((folder / "README.md").read_text()):
        need_programs(*(program for program in line.groups() if program))
        command = line[0].replace("/opt/kontain/bin", str(ROOT / "build/toolchain/bin"))
        command = command.replace("python3 -m pip", f"{sys.executable} -m pip")
        subprocess.run(["sh", "-ec", command], cwd=folder, check=True)


def parents(folder: Path) -> set[str]:
    """Return the names of the language images that an example's Dockerfile and composition use."""
    files = [folder / "Dockerfile", *folder.glob("compose.yaml")]
    text = "\n".join(file.read_text() for file in files)
    return set(re.findall(r"^(?:FROM| +image:) localhost/kontain/(\S+)", text, re.MULTILINE))
