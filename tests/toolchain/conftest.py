# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of gcc-kontain: the compilers, laid out as in a release."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture(scope="session")
def toolchain() -> Path:
    """The folder build/toolchain, up to date."""
    for tool in ("gcc", "g++", "musl-gcc"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing: run `make deps`")
    subprocess.run(["make", "-s", "-C", ROOT / "toolchain"], check=True)
    return ROOT / "build" / "toolchain"


@pytest.fixture
def run(toolchain: Path, tmp_path: Path) -> Run:
    """Run a compiler of `toolchain`, or a program below tmp_path, in tmp_path."""

    def run(program: str, *arguments: str, **options: Any) -> "subprocess.CompletedProcess[str]":
        path = toolchain / "bin" / program if "/" not in program else tmp_path / program
        return subprocess.run(
            [str(path), *arguments],
            cwd=tmp_path,
            check=False,
            capture_output=True,
            text=True,
            **options,
        )

    return run


@pytest.fixture(scope="session")
def km() -> Path:
    """The monitor, on a machine where it can make virtual machines."""
    km = ROOT / "build" / "km" / "km"
    if not (km.exists() and os.access("/dev/kvm", os.R_OK | os.W_OK)):
        pytest.skip("km or /dev/kvm is missing: run `make km`, on a machine with KVM")
    return km
