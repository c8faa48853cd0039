# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of preflight."""

from __future__ import annotations

from pathlib import Path

import pytest

from .made_up import MadeUpHost


@pytest.fixture
def host(tmp_path: Path) -> MadeUpHost:
    """Return a good host with nothing installed, which a test may change."""
    return MadeUpHost(tmp_path)
