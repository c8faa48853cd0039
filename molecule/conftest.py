# SPDX-License-Identifier: Apache-2.0
"""Tests that ask for testinfra's `host` run in a scenario, never on the machine that tests."""

import pytest

SKIP = pytest.mark.skip(reason="needs a virtual machine: run `molecule test -s SCENARIO`")


def pytest_collection_modifyitems(config: pytest.Config, items: "list[pytest.Item]") -> None:
    """Skip what needs a virtual machine where none is named."""
    if config.getoption("--hosts"):
        return
    for item in items:
        if "host" in getattr(item, "fixturenames", ()):
            item.add_marker(SKIP)
