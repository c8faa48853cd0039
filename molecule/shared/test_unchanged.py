# SPDX-License-Identifier: Apache-2.0
"""A host after everything was undone, or after it was refused."""

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types


def test_every_file_is_what_it_was(host: Host) -> None:
    """The list of files with hashes is equal before and after, apart from packages and logs."""
    compared = host.run("python3 /run/molecule/snapshot.py compare /run/molecule/before.json")
    assert compared.stdout.strip() == ""
    assert compared.rc == 0


def test_docker_is_the_daemon_that_it_was(host: Host) -> None:
    """A docker daemon that ran before still runs, and knows nothing of Kontain."""
    before = host.file("/run/molecule/docker.pid")
    if not before.exists:
        pytest.skip("this host has no docker; the scenario install has")
    pid = host.check_output("systemctl show docker.service -P MainPID")
    assert pid == before.content_string.strip()
    assert "kontain" not in host.check_output("docker info --format '{{json .Runtimes}}'")
