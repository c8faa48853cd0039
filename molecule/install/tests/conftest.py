# SPDX-License-Identifier: Apache-2.0
"""The engines of the installed host."""

import pytest
from engine_on_host import Engine
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types


@pytest.fixture(scope="module", params=["podman", "docker"])
def engine(request: pytest.FixtureRequest, host: Host) -> Engine:
    """An engine of root that has an image of hello.km and busybox and nothing else."""
    return Engine(host, str(request.param))
