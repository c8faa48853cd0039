# SPDX-License-Identifier: Apache-2.0
"""`kontain register docker --builds` gives docker's service a variable, and takes it back exactly."""

from __future__ import annotations

from pathlib import Path

import pytest

from kontain_host import engines
from kontain_host.engines.docker_builds import DROP_IN, VARIABLE
from kontain_host.errors import HOST_REFUSED, WRONG_USAGE, HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import withdraw

from .small_host import SmallHost, snapshot

KRUN = "/opt/kontain/bin/krun"
DEFAULTS = "/etc/default/docker"


def make(host: SmallHost, version: str = "26.1.5+dfsg1", *, systemd: bool = True) -> SmallHost:
    """Give a host a docker of a version, under a service manager."""
    host.add_program(
        "dockerd",
        lambda command: (
            (0, f"Docker version {version}, build x") if "--version" in command else (0, "")
        ),
    )
    if systemd:
        host.path("/run/systemd/system").mkdir(parents=True)
    else:
        for path in ("/etc/init.d/docker", DEFAULTS):
            host.path(path).parent.mkdir()
        host.path("/etc/init.d/docker").touch()
    return host


def register(host: SmallHost, *, replace: bool = False) -> Report:
    """Register the runtime in docker, for builds too."""
    wish = engines.Registration(config="/etc/docker/daemon.json", builds=True, replace=replace)
    return perform(host, "docker", lambda report: engines.plan(host, "docker", report, wish))


def test_systemd_gets_a_drop_in_file(host: SmallHost) -> None:
    """Its unit has the variable from its next start on, which is said; unregister is exact."""
    make(host)
    before = snapshot(Path(host.root))
    (warning,) = register(host).warnings
    assert "after its next start: `systemctl daemon-reload && systemctl restart docker`" in warning
    assert f"[Service]\nEnvironment={VARIABLE}={KRUN}\n" in host.path(DROP_IN).read_text()
    assert [command for command in host.ran if "restart" in command] == []
    again = register(host)
    assert (again.changed, again.warnings) == (False, [])
    withdraw(host, "docker")
    assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize("text", [None, "", "# theirs\nDOCKER_OPTS='--dns 1.1.1.1'", "a=1\n\n"])
@pytest.mark.parametrize("edit", ["", "# an edit\n"])
def test_sysvinit_gets_a_line(host: SmallHost, text: str | None, edit: str) -> None:
    """The file that its script reads: a line more, and without it byte for byte; an edit stays."""
    make(host, systemd=False)
    place = host.path(DEFAULTS)
    if text is not None:
        place.write_text(text)
    before = snapshot(Path(host.root))
    assert "`service docker restart`" in register(host).warnings[0]
    assert place.read_text().splitlines()[-1] == f"export {VARIABLE}={KRUN}"
    assert not register(host).changed
    if edit:
        place.write_text(f"{edit}{place.read_text()}")
        withdraw(host, "docker")
        gap = "\n" if text and not text.endswith("\n") else ""
        assert place.read_text() == f"{edit}{text or ''}{gap}"
    else:
        withdraw(host, "docker")
        assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize("version", ["20.10.24+dfsg1", "nonsense"])
def test_a_docker_that_would_not_read_it_is_refused(host: SmallHost, version: str) -> None:
    """20.10 has no such variable: the versions are named, with podman's way, and nothing is written."""
    make(host, version)
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=r"wanted 25\.0\.5 or newer") as caught:
        register(host)
    assert "podman build --runtime" in caught.value.fix
    assert caught.value.status == HOST_REFUSED
    assert snapshot(Path(host.root)) == before


def test_it_is_for_docker_alone(host: SmallHost) -> None:
    """Another engine has no such variable: wrong usage, and nothing is written."""
    wish = engines.Registration(builds=True)
    with pytest.raises(HostError, match="cannot let podman build in VMs") as caught:
        perform(host, "p", lambda report: engines.plan(host, "podman", report, wish))
    assert caught.value.status == WRONG_USAGE


def test_a_docker_that_nothing_starts_is_refused(host: SmallHost) -> None:
    """Without a service manager, the message has the variable."""
    make(host, systemd=False).path("/etc/init.d/docker").unlink()
    with pytest.raises(HostError, match=f"start dockerd with {VARIABLE}="):
        register(host)


@pytest.mark.parametrize("systemd", [True, False])
def test_another_runtime_for_builds_is_an_error(host: SmallHost, *, systemd: bool) -> None:
    """A foreign variable is named with its file, and comes second only if that is wanted."""
    make(host, systemd=systemd)
    path = "/etc/systemd/system/docker.service.d/10-sysbox.conf" if systemd else DEFAULTS
    host.path(path).parent.mkdir(parents=True, exist_ok=True)
    line = f"{'Environment=' if systemd else 'export '}{VARIABLE}=/usr/bin/sysbox-runc\n"
    host.path(path).write_text(f"[Service]\n{line}" if systemd else line)
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=f"{path} sets {VARIABLE} to /usr/bin/sysbox-runc, wanted"):
        register(host)
    assert snapshot(Path(host.root)) == before
    assert register(host, replace=True).changed
    withdraw(host, "docker")
    assert snapshot(Path(host.root)) == before
