# SPDX-License-Identifier: Apache-2.0
"""Tests that ask for testinfra's `host` run in a scenario, never on the machine that tests."""

from pathlib import Path

import pytest

SCENARIOS = Path(__file__).resolve().parent
SKIP = pytest.mark.skip(reason="needs a virtual machine: run `molecule test -s SCENARIO`")


def pytest_collection_modifyitems(config: pytest.Config, items: "list[pytest.Item]") -> None:
    """Skip what needs a virtual machine where none is named."""
    if config.getoption("--hosts"):
        return
    for item in items:
        is_ours = item.path.is_relative_to(SCENARIOS)  # other parts have a `host` of their own
        if is_ours and "host" in getattr(item, "fixturenames", ()):
            item.add_marker(SKIP)
