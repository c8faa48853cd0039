# SPDX-License-Identifier: Apache-2.0
"""A payload behaves in a VM as on the host: the same output, status, signals and files."""

from collections.abc import Callable
from pathlib import Path

import pytest

from . import compare, payloads
from .payload import SOURCES, Payload

CASES = [(payload, how) for payload in payloads.PAYLOADS for how in payload.builds]


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize(
    ("payload", "how"), CASES, ids=[f"{payload.name}-{how}" for payload, how in CASES]
)
def test_payload(payload: Payload, how: str, build: Callable[..., Path], km: Path) -> None:
    """The payload does what its judge asks, with each of its argument lists."""
    if payload.needs_mib > compare.available_mib():
        pytest.skip(f"less than {payload.needs_mib} MiB of memory are available: free some")
    wrong = compare.judge_all(payload, build(payload.name, how), str(km))
    assert not wrong, f"\n{wrong}"


def test_every_source_is_a_payload() -> None:
    """Each C file is built by an entry of the table, and each entry has its C file."""
    sources = {path.stem for path in SOURCES.glob("*.c")}
    assert sources == {payload.source or payload.name for payload in payloads.PAYLOADS}
