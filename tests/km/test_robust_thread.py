# SPDX-License-Identifier: Apache-2.0
"""A thread's list of robust futexes, named in the guest: its cost. The payload's runs prove the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .test_sites import is_software, output

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

MANY = 3


def times(km: Path, payload: Path, folder: Path, *options: "str | Path") -> int:
    """Return how many times as long another list takes, which leaves the guest."""
    return int(output([km, *options, payload, "timed"], folder))


def test_a_thread_names_its_list_in_the_guest(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """A thread whose list is where its maker's is names it in the guest, on KVM in software."""
    assert (times(km, build("robust_thread"), tmp_path) >= MANY) == is_software(km, tmp_path)


def test_who_watches_calls_sees_the_list_named(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Under --stats the call is one like any other."""
    payload = build("robust_thread")
    assert times(km, payload, tmp_path, "--stats", "-o", tmp_path / "stats") < MANY
