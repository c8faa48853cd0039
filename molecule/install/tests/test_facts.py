# SPDX-License-Identifier: Apache-2.0
"""The distribution and the CPU in a report: by distro and py-cpuinfo, and by kontain's own readers."""

import json
import subprocess
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

PACKAGES = ("distro", "cpuinfo")
PRIVATE = "/var/lib/kontain/ansible"  # install.sh's environment; the playbook makes none
KONTAIN = "/opt/kontain/bin/kontain"


def package(name: str) -> str:
    """Return the folder of a package here, which install.sh takes by the same hash."""
    spec = find_spec(name)
    assert spec, f"{name} is missing: run `make venv`"
    assert spec.origin
    return str(Path(spec.origin).parent)


@pytest.fixture
def environment(host: Host) -> Iterator[str]:
    """Make the folder of the environment's packages, empty and root's, and remove it again."""
    version = "import sys; print('python%d.%d' % sys.version_info[:2])"
    python = host.check_output(f'/usr/bin/python3 -c "{version}"')
    folder = f"{PRIVATE}/lib/{python}/site-packages"
    assert not host.file(PRIVATE).exists
    host.check_output(f"install -d -m 755 {folder}")
    yield folder
    host.check_output(f"rm -r {PRIVATE}")


def facts(host: Host) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return what a report says of the distribution and of the CPU."""
    said = json.loads(host.check_output(f"{KONTAIN} check --json --facts --no-proof"))
    return said["facts"]["distribution"], said["facts"]["cpu"]


def test_both_give_the_same_answer(
    host: Host, environment: str, request: pytest.FixtureRequest
) -> None:
    """Every fact is the same with the packages as without, and these add nothing but flags."""
    own_distribution, own_cpu = facts(host)
    scp = ["scp", "-q", "-r", "-F", request.config.getoption("ssh_config")]
    target = f"{host.backend.host.name}:{environment}"
    subprocess.run([*scp, *map(package, PACKAGES), target], check=True)
    distribution, cpu = facts(host)

    assert distribution.pop("source").startswith("distro ")
    assert cpu.pop("source").startswith("py-cpuinfo")
    assert {own_distribution.pop("source"), own_cpu.pop("source")} == {"the readers of kontain"}
    assert distribution == own_distribution
    assert set(cpu.pop("flags")) >= set(own_cpu.pop("flags"))
    assert cpu == own_cpu
    assert own_distribution["id"]
    assert own_cpu["brand"]
    assert own_cpu["family"]
