# SPDX-License-Identifier: Apache-2.0
"""Each test is in one lane."""

from __future__ import annotations

import pytest

from .lanes import TABLES, names_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the tests that are not in the short lane with their lane."""
    for item in items:
        for lane in TABLES:
            if names_of(item.nodeid, lane):
                item.add_marker(lane)
