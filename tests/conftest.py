# SPDX-License-Identifier: Apache-2.0
"""Each test is in one lane, and none fails because others run at the same time."""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from pathlib import Path

import pytest

from .folders import PREFIX
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


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Give this run a temporary folder of its own.

    Each run of pytest closes the folder /tmp/pytest-of-USER to other users as it begins, and so to the
    containers' users of a run that goes on.
    """
    if not config.option.basetemp:
        config.option.basetemp = tempfile.mkdtemp(prefix=PREFIX)


@pytest.hookimpl(trylast=True)
def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Remove the folder, but where a failure may be looked into."""
    folder = Path(session.config.option.basetemp)
    if exitstatus == pytest.ExitCode.OK and folder.name.startswith(PREFIX):
        shutil.rmtree(folder, ignore_errors=True)
