# SPDX-License-Identifier: Apache-2.0
"""The fixtures of the images' tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from .support import Host, make_host, why_no_container


@pytest.fixture(scope="session", params=["podman", "docker"])
def host(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Host]:
    """Return each engine in turn, which knows the runtime of this tree and no other."""
    if reason := why_no_container():
        pytest.skip(reason)
    yield from make_host(request.param, tmp_path_factory.mktemp("engine"))
