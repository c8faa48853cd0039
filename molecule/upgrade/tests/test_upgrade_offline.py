# SPDX-License-Identifier: Apache-2.0
"""Three releases on one host without a network, while containers of podman and docker run.

The tests are one story, in their order: OLD is installed, upgraded to NEW, rolled back, upgraded to
NEWEST, and all of it is undone. After each step a container is started with each engine.
"""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from kontain_host.errors import IN_USE
from tests.molecule.engine_on_host import Engine
from tests.molecule.releases import Releases
from tools.vm.suite import copy

OLD, NEW, NEWEST = "1.0.0", "1.1.0", "2.0.0"
PREFIX = "/opt/kontain"
KONTAIN = f"{PREFIX}/bin/kontain"
THERE = "/run/molecule/releases"
IN_A_VM = ".kontain.KVM"
ROLLBACK_S = 1

FLIP_A_BIT = (
    "file = open('{}', 'r+b'); file.seek(100000); byte = file.read(1)[0];"
    " file.seek(100000); file.write(bytes([byte ^ 1]))"
)
# All that the host reaches then is who is connected to it.
CUT_THE_NETWORK = "ip route replace unreachable default && ip route replace unreachable 10.0.2.3"


@pytest.fixture(scope="module", autouse=True)
def _releases(host: Host, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Put the files of each release on the host, and cut its network."""
    releases = Releases(tmp_path_factory.mktemp("releases"))
    host.check_output(f"mkdir -p {THERE}")
    for version in (OLD, NEW, NEWEST):
        copy(host, releases.make(version), f"{THERE}/{version}")
    host.check_output(CUT_THE_NETWORK)


def install(host: Host, version: str) -> str:
    """Install a release from its file, by the script that was published with it."""
    folder = f"{THERE}/{version}"
    bundle = f"{folder}/kontain-{version}-x86_64.tar.gz"
    done = host.run(f"sh {folder}/install.sh --offline {bundle}")
    assert done.rc == 0, done.stdout + done.stderr
    assert host.check_output(f"cat {PREFIX}/current/VERSION") == version
    return str(done.stdout)


@pytest.fixture(scope="module")
def engines(host: Host) -> list[Engine]:
    """The host's engines, each with an image."""
    return [Engine(host, name) for name in ("podman", "docker")]


def start(engines: list[Engine], name: str) -> None:
    """Start a container of that name with each engine."""
    for engine in engines:
        engine.run(f"-d --name {name}", "sleep 100000")
    assert_alive(engines, name)


def assert_alive(engines: list[Engine], name: str) -> None:
    """See that a program can be started in each container of that name, and runs in a VM."""
    for engine in engines:
        assert engine(f"exec {name} uname -r").endswith(IN_A_VM)


def versions_run(host: Host, engines: list[Engine], name: str) -> set[str]:
    """Return the releases whose km is the first process of the containers of that name."""
    found = set()
    for engine in engines:
        pid = engine.inspect(name)["State"]["Pid"]
        # Which file it is, under whatever path the container has it.
        same = f"[ /proc/{pid}/exe -ef $km ]"
        kms = f"{PREFIX}/versions/*/bin/km"
        path = host.check_output(f"for km in {kms}; do if {same}; then echo $km; fi; done")
        found.add(Path(path).parts[4] if path else f"none, in {engine.name}")
    return found


def installed_versions(host: Host) -> list[str]:
    """Return the releases that the host has."""
    return sorted(host.check_output(f"ls {PREFIX}/versions").split())


def test_no_address_is_reached(host: Host) -> None:
    """The scenario shows what it says: neither a name nor an address outside is reached."""
    assert host.run("getent hosts example.org").rc != 0
    reach = "import socket; socket.create_connection(('192.0.2.1', 443))"
    assert "No route to host" in host.run(f'python3 -c "{reach}"').stderr


def test_release_is_installed_from_its_file(host: Host) -> None:
    """A host without a network is made a Kontain host by a bundle alone, proven in each engine."""
    assert f"Kontain {OLD} is installed" in install(host, OLD)


def test_containers_run_by_the_release(host: Host, engines: list[Engine]) -> None:
    """The containers of each engine are run by the release that is installed."""
    start(engines, "first")
    assert versions_run(host, engines, "first") == {OLD}


def test_tampered_release_is_refused(host: Host) -> None:
    """A bundle with one bit changed is refused with status 5, and the host keeps what it has."""
    bundle = f"kontain-{NEW}-x86_64.tar.gz"
    host.check_output(f"mkdir {THERE}/bad && cp {THERE}/{NEW}/{bundle} {THERE}/bad")
    host.check_output(f'cd {THERE}/bad && python3 -c "{FLIP_A_BIT.format(bundle)}"')
    done = host.run(f"sh {THERE}/{NEW}/install.sh --offline {THERE}/bad/{bundle}")
    assert done.rc == 5, done.stdout + done.stderr
    assert installed_versions(host) == [OLD]


def test_containers_live_on_through_an_upgrade(host: Host, engines: list[Engine]) -> None:
    """Running containers stay on their release at an upgrade; later ones run on the new one."""
    install(host, NEW)
    start(engines, "second")
    assert versions_run(host, engines, "first") == {OLD}
    assert versions_run(host, engines, "second") == {NEW}
    assert_alive(engines, "first")
    assert installed_versions(host) == [OLD, NEW]


def test_older_release_is_refused(host: Host) -> None:
    """Without --downgrade the file of an older release is refused, with status 5."""
    bundle = f"{THERE}/{OLD}/kontain-{OLD}-x86_64.tar.gz"
    done = host.run(f"sh {THERE}/{OLD}/install.sh --offline {bundle}")
    assert done.rc == 5, done.stdout + done.stderr
    assert host.check_output(f"cat {PREFIX}/current/VERSION") == NEW


def test_rollback_takes_less_than_a_second(host: Host, engines: list[Engine]) -> None:
    """A rollback is done in a second of a CPU; new containers have the release before, old ones live.

    The emulated CPU's second is longer by as much as Python takes longer to start on it than here.
    """
    python = ["python3", "-c", "import argparse, hashlib, json, tempfile"]
    before = in_seconds(host, python)
    seconds = in_seconds(host, [KONTAIN, "rollback"])
    slowness = (before + in_seconds(host, python)) / 2 / in_seconds(None, python)
    print(f"rollback: {seconds:.2f} s on a CPU that is {slowness:.0f} times as slow")
    assert host.check_output(f"cat {PREFIX}/current/VERSION") == OLD
    start(engines, "third")
    assert versions_run(host, engines, "third") == {OLD}
    assert versions_run(host, engines, "second") == {NEW}
    assert seconds < ROLLBACK_S * slowness


def in_seconds(host: Host | None, command: list[str]) -> float:
    """Return how long a command takes on the host, or else here."""
    run = f"import subprocess; subprocess.run({command!r}, check=True)"
    code = f"import time; t = time.time(); {run}; print(time.time() - t)"
    if host:
        return float(host.check_output("python3 -c %s", code).split()[-1])
    timed = subprocess.run(["python3", "-c", code], check=True, capture_output=True, text=True)
    return float(timed.stdout)


def test_versions_are_collected_when_nothing_runs_them(host: Host, engines: list[Engine]) -> None:
    """A version that is no way back any more stays while containers run it, and goes with them."""
    install(host, NEWEST)
    start(engines, "fourth")
    assert versions_run(host, engines, "fourth") == {NEWEST}
    assert installed_versions(host) == [OLD, NEW, NEWEST]  # NEW is run by the second container
    for engine in engines:
        engine.remove("second", "third")
    host.check_output(f"{KONTAIN} rollback")
    assert installed_versions(host) == [OLD, NEWEST]
    assert_alive(engines, "first")


def test_uninstall_refuses_while_containers_run(host: Host, engines: list[Engine]) -> None:
    """Uninstalling names the containers that run and does nothing; without them it is done."""
    done = host.run(f"{KONTAIN} uninstall --yes")
    assert done.rc == IN_USE, done.stderr
    for engine in engines:
        for name in ("first", "fourth"):
            assert f"{engine.name} container {name}" in done.stderr
        engine.remove("first", "fourth")
    host.check_output(f"sh {THERE}/{NEWEST}/install.sh --uninstall --yes")
    assert not host.file(PREFIX).exists
