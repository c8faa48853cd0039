# SPDX-License-Identifier: Apache-2.0
"""The engines of the installed host, and its ordinary user."""

from collections.abc import Iterator

import pytest
import testinfra  # type: ignore[import-untyped]  # it has no types
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tests.molecule.engine_on_host import Engine


@pytest.fixture(scope="module", params=["podman", "docker"])
def engine(request: pytest.FixtureRequest, host: Host) -> Engine:
    """An engine of root that has an image of hello.km and busybox and nothing else."""
    return Engine(host, str(request.param))


@pytest.fixture
def user(host: Host, request: pytest.FixtureRequest) -> Iterator[Host]:
    """The host where its ordinary user has logged in, as root does: through sshd and PAM.

    Who only becomes that user stays in the session of root, and systemd gives them no control
    group of their own. What they leave at home is removed.
    """
    host.check_output(
        "install -d -m 700 -o user -g user ~user/.ssh &&"
        " install -m 600 -o user -g user ~root/.ssh/authorized_keys ~user/.ssh/"
    )
    name, config = host.backend.host.name, request.config.getoption("ssh_config")
    session = testinfra.get_host(f"ssh://user@{name}", ssh_config=config)
    yield session
    session.run("podman system reset --force")
    host.check_output("cd ~user && rm -rf .ssh .local .config .cache")
