# SPDX-License-Identifier: Apache-2.0
"""Find the Python that has ansible-runner: it is the controller's, not the one `kontain` runs by."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Iterator, List

from kontain_preflight.errors import HostError

NO_ANSIBLE = 5
LIBRARY = Path(__file__).resolve().parent.parent  # of a release; of a checkout, that of this part
LIBRARIES = [str(place) for place in (LIBRARY, LIBRARY.parent / "preflight") if place.is_dir()]
START = (
    "import os, sys; sys.path[0:1] = sys.argv.pop(1).split(os.pathsep); "
    "from kontain_fleet.cli import main; sys.exit(main(sys.argv[1:]))"
)
PROBE = "import ansible, ansible_runner, jinja2"


def main(argv: List[str]) -> int:
    """Become the controller's Python with these arguments; without one, print the help or an error."""
    for python in candidates():
        if has_runner(python):
            path = f"{Path(python).parent}{os.pathsep}{os.environ.get('PATH', os.defpath)}"
            command = [python, "-c", START, os.pathsep.join(LIBRARIES), *argv]
            os.execve(python, command, {**os.environ, "PATH": path})  # noqa: S606  no shell is meant
    if {"-h", "--help"} & set(argv):
        from .cli import main as show  # noqa: PLC0415  the controller's Python imports it otherwise

        return show(argv)
    error = HostError(
        "cannot run Ansible",
        "no Python with ansible-core, ansible-runner and jinja2 was found in VIRTUAL_ENV, behind "
        "ansible-playbook, or as python3",
        "on the controller, run `pip install ansible-core ansible-runner`, in a virtual "
        "environment that is active; managed hosts need neither",
    )
    print(f"kontain fleet: {error}", file=sys.stderr)
    return NO_ANSIBLE


def candidates() -> Iterator[str]:
    """Yield the Pythons that may be the controller's, the likeliest first."""
    if os.environ.get("VIRTUAL_ENV"):
        yield f"{os.environ['VIRTUAL_ENV']}/bin/python"
    ansible = shutil.which("ansible-playbook")
    if ansible:
        first = Path(ansible).read_bytes().split(b"\n", 1)[0]
        if first.startswith(b"#!/"):
            yield first[2:].split()[0].decode()
    python = shutil.which("python3")
    if python:
        yield python


def has_runner(python: str) -> bool:
    """Tell whether a Python can import what a controller needs."""
    try:
        ran = subprocess.run([python, "-c", PROBE], cwd="/", check=False, capture_output=True)
    except OSError:
        return False
    return ran.returncode == 0
