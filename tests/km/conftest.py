# SPDX-License-Identifier: Apache-2.0
"""The monitor under test and the payloads that it runs."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from . import payloads
from .payload import BUILDS
from .payload import build as compile_payload

ROOT = Path(__file__).resolve().parents[2]
BUILT = ROOT / "build" / "km" / "km"


@pytest.fixture(scope="session")
def km(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The monitor, in a copy that stays the same while the tests run."""
    if not BUILT.exists():
        pytest.skip(f"{BUILT} is missing: run `make km`")
    copy = tmp_path_factory.mktemp("km") / "km"
    shutil.copy(BUILT, copy)
    return copy


@pytest.fixture(scope="session")
def kvm() -> None:
    """This machine has KVM, and this user may use it."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("/dev/kvm cannot be opened: run this on a host with KVM, in group kvm")


@pytest.fixture(scope="session")
def build(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """A function that gives the path of a payload, by its name and its build."""
    folder = tmp_path_factory.mktemp("payloads")

    def build_once(name: str, how: str = "musl") -> Path:
        compiler = BUILDS[how][0]
        if not shutil.which(compiler):
            pytest.skip(f"{compiler} is missing: install the package gcc or musl-tools")
        return compile_payload(payloads.find(name), how, folder)

    return build_once
