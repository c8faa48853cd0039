# SPDX-License-Identifier: Apache-2.0
"""A program built with a sanitizer runs, or km says at once what that asks for and a VM has not."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

PROGRAM = '#include <stdio.h>\nint main(void) { return puts("done") < 0; }\n'


def build(kind: str, folder: Path) -> Path:
    """A program that was built with a sanitizer of gcc's."""
    if not shutil.which("gcc"):
        pytest.skip("gcc is missing: install the Debian package gcc")
    source, target = folder / "program.c", folder / kind
    source.write_text(PROGRAM)
    command = ["gcc", f"-fsanitize={kind}", "-o", str(target), str(source)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        pytest.skip(f"gcc has no sanitizer of {kind}: {done.stderr}")
    return target


@pytest.mark.parametrize(
    ("kind", "says"),
    [
        ("thread", "which a VM does not have"),
        ("leak", "detect_leaks=0"),
        ("address", "detect_leaks=0"),
    ],
)
def test_what_cannot_be_had_is_said(kind: str, says: str, km: Path, tmp_path: Path) -> None:
    """Its tables, or its tracer, are what km cannot give it: km's message comes first."""
    done = subprocess.run(
        [km, build(kind, tmp_path)], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.stderr.startswith("km: the program ")
    assert says in done.stderr


@pytest.mark.parametrize("kind", ["address", "undefined"])
def test_others_run(kind: str, km: Path, tmp_path: Path) -> None:
    """The sanitizers of addresses, without that of leaks, and of undefined behaviour run."""
    done = subprocess.run(
        [km, build(kind, tmp_path)], capture_output=True, text=True, check=False, timeout=60,
        env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"},
    )  # fmt: skip
    assert (done.returncode, done.stdout, done.stderr) == (0, "done\n", "")
