# SPDX-License-Identifier: Apache-2.0
"""A signal mask that the guest changes itself: its cost. The payload's runs prove the rest."""

from collections.abc import Callable
from pathlib import Path

import pytest

from .test_sites import is_software, output

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

MANY = 8


def times(km: Path, payload: Path, folder: Path, *options: "str | Path") -> int:
    """Return how many changes of the mask take as long as one call that leaves the guest."""
    return int(output([km, "--no-helper", *options, payload, "timed"], folder))


def test_changes_of_the_mask_stay_in_the_guest(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """A program that changes its mask often stays in the guest, where KVM works in software."""
    assert (times(km, build("guest_mask"), tmp_path) > MANY) == is_software(km, tmp_path)


def test_who_watches_calls_sees_changes_of_the_mask(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Under --stats each change is a call like any other."""
    assert times(km, build("guest_mask"), tmp_path, "--stats", "-o", tmp_path / "stats") <= MANY
