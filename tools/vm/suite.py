# SPDX-License-Identifier: Apache-2.0
"""Tests of this tree that run on a scenario's machine, with its own Python and pytest."""

from __future__ import annotations

import subprocess
from pathlib import Path

from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

ROOT = Path(__file__).resolve().parents[2]
PATIENCE = 10  # an emulated CPU, on a machine that may have other work
# Two virtual CPUs share one thread of QEMU's: Go's parallel garbage collector would take as much of it
# as the engines' own work.
GO = {"GOGC": "off", "GOMEMLIMIT": "256MiB", "GOMAXPROCS": "1"}
KRUN_PARTS = (
    "krun",
    "tests/__init__.py",
    "tests/krun",
    "build/krun",
    "build/km/km",
    "build/hello.km",
    "pyproject.toml",
    "tools/release/version",
    "galaxy.yml",
)
"""The files of krun and its tests, below ROOT."""


def copy(host: Host, source: Path, target: str) -> None:
    """Copy a file or a folder to the machine."""
    vm = [ROOT / "tools/vm/vm", "copy", host.backend.host.name]
    subprocess.run([*vm, source, target], check=True)


def send(host: Host, archive: Path, folder: str, *words: str) -> None:
    """Pack what WORDS, arguments of tar, name into ARCHIVE; unpack it in FOLDER of the machine."""
    subprocess.run(["tar", "--exclude=__pycache__", "-czf", archive, *words], check=True)
    copy(host, archive, f"{folder}.tar.gz")
    host.check_output(f"mkdir -p {folder} && tar -C {folder} -xzf {folder}.tar.gz")


def run_tests(host: Host, folder: str, words: str, **variables: str) -> None:
    """Run pytest with WORDS in FOLDER of the machine; each test passes or says why it is skipped."""
    given = {"KRUN_TEST_PATIENCE": PATIENCE, "KM_TEST_PATIENCE": PATIENCE, **GO, **variables}
    done = host.run(
        f"cd {folder} && env {' '.join(f'{name}={value}' for name, value in given.items())}"
        f" python3 -m pytest -q -rs --color=no -p no:cacheprovider {words}"
    )
    print(done.stdout.splitlines()[-1])
    assert done.rc == 0, f"\n{done.stdout}{done.stderr}"
