# SPDX-License-Identifier: Apache-2.0
"""A controller or host with a shortcoming gets our message, not Ansible's."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sources import ROOT

PARTS = ("command", "fleet", "host", "preflight", "runenv")
PYENV = """\
#!/bin/sh
echo "pyenv: python3: command not found

The 'python3' command exists in these Python versions:
  3.11.9" >&2
exit 127
"""
ASDF = "#!/bin/sh\necho 'No version is set for command python3' >&2\nexit 126\n"


def run(program: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call `kontain fleet check` of PROGRAM in FOLDER, with an inventory of one host."""
    environment = {**os.environ, "ANSIBLE_COLLECTIONS_PATH": str(folder / "none"), "NO_COLOR": "1"}
    report = folder / "report"
    return subprocess.run(
        [program, "fleet", "check", "-i", "inventory", "--report", report, *words],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
    )


def test_help_needs_no_ansible(tmp_path: Path) -> None:
    """On a host without Ansible `kontain fleet --help` prints the usage; a verb names what is missing."""
    (tmp_path / "python3").symlink_to(shutil.which("python3", path="/usr/bin") or "missing")
    environment = {"PATH": str(tmp_path), "HOME": str(tmp_path)}
    program = [sys.executable, "-IS", str(ROOT / "command/bin/kontain"), "fleet"]
    shown = subprocess.run(
        [*program, "--help"], env=environment, capture_output=True, text=True, check=False
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert "--rollback-failed" in shown.stdout
    refused = subprocess.run(
        [*program, "check"], env=environment, capture_output=True, text=True, check=False
    )
    assert refused.returncode == 5
    assert "ansible-runner" in refused.stderr


@pytest.mark.slow
def test_a_release_says_which_collection_it_needs(tmp_path: Path) -> None:
    """An installed host is a controller, too: the message names the collection's file."""
    release = tmp_path / "release"
    for part in PARTS:
        package = f"kontain_{part}"
        shutil.copytree(ROOT / part / package, release / "lib/python" / package)
    (release / "bin").mkdir()
    program = shutil.copy(ROOT / "command/bin/kontain", release / "bin/kontain")
    (tmp_path / "inventory").write_text("here ansible_connection=local\n")
    done = run(Path(program), tmp_path)
    assert done.returncode == 2, done.stdout
    first, fix = done.stderr.strip().splitlines()
    assert first.endswith("this controller lacks the collection kontain.platform.")
    assert "ansible-galaxy collection install kontain-VERSION/kontain-platform" in fix


@pytest.mark.slow
@pytest.mark.parametrize("shim", [PYENV, ASDF], ids=["pyenv", "asdf"])
def test_a_python_that_does_not_start_is_recognised(tmp_path: Path, shim: str) -> None:
    """A shim that Ansible takes for an interpreter is named, and the variable that helps."""
    python = tmp_path / "python3"
    python.write_text(shim)
    python.chmod(0o755)
    line = f"here ansible_connection=local ansible_python_interpreter={python}\n"
    (tmp_path / "inventory").write_text(line)
    done = run(ROOT / "command/bin/kontain", tmp_path)
    assert done.returncode == 1, done.stdout + done.stderr
    (host,) = json.loads((tmp_path / "report/report.json").read_text())["hosts"]
    first, fix = host["message"].splitlines()
    assert first.startswith("the Python that Ansible chose on this host does not start: ")
    assert fix.startswith("To fix: set ansible_python_interpreter to a real one")
    assert "deserialization" not in done.stdout + done.stderr + host["message"]
