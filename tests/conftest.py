# SPDX-License-Identifier: Apache-2.0
"""Each test is in one lane, and none of Hypothesis' fails since others keep the machine busy."""

from __future__ import annotations

import contextlib

import pytest

from .lanes import TABLES, names_of

with contextlib.suppress(ImportError):  # where tests run that need none of it
    from hypothesis import HealthCheck, settings

    settings.register_profile(
        "beside others", settings(), deadline=None, suppress_health_check=[HealthCheck.too_slow]
    )
    settings.load_profile("beside others")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that are not in the short lane with their lane."""
    for item in items:
        for lane in TABLES:
            if names_of(item.nodeid, lane):
                item.add_marker(lane)
