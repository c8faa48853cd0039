# SPDX-License-Identifier: Apache-2.0
"""Each test is in one lane."""

from __future__ import annotations

import pytest

from .lanes import names_of


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what is in the long lane."""
    for item in items:
        if names_of(item.nodeid):
            item.add_marker(pytest.mark.long)
