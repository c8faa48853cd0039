# SPDX-License-Identifier: Apache-2.0
"""install.sh from beginning to end, on a copy of this system that may be changed."""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest

from tests.sources import ROOT, pack_sources

from .sandbox import WHOLE_INSTALL, Sandbox

pytestmark = WHOLE_INSTALL

USER = "/home/kontain-user"
CHECKOUT = f"{USER}/platform"
LOG = "/var/log/kontain"
PROOFS = ("proof-km", "proof-krun", "proof-podman", "proof-docker")


def copy_checkout(sandbox: Sandbox) -> None:
    """Put what git would clone, and what is not committed yet, below a user's home."""
    script = f"mkdir -p {CHECKOUT} && tar -C {CHECKOUT} -xf - && chown -R 1000:1000 {USER}"
    sandbox.run("sh", "-c", script, input=pack_sources(), text=False).check_returncode()


@pytest.fixture(scope="module")
def host() -> Iterator[Sandbox]:
    """A host with both engines, dockerd at work, and a user's checkout; the tests are its story."""
    with closing(Sandbox()) as sandbox:
        copy_checkout(sandbox)
        sandbox.start_dockerd()
        yield sandbox


def install(host: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the checkout's install.sh."""
    return host.run(f"{CHECKOUT}/install.sh", *arguments)


def changes(host: Sandbox) -> dict[str, str]:
    """Return what is not as on this machine, but for what the README says that stays."""
    return {
        path: change for path, change in host.changes().items() if not path.startswith((USER, LOG))
    }


def running(host: Sandbox) -> str:
    """Return the PIDs of dockerd."""
    return host.run("pidof", "dockerd").stdout


def test_dry_run_on_a_fresh_host_changes_nothing(host: Sandbox) -> None:
    """--dry-run checks the host, lists the steps and writes nothing at all, not even a log."""
    before = host.changes()

    said = install(host, "--dry-run")

    assert said.returncode == 0, said.stderr
    assert "fetch a private Ansible" in said.stdout
    assert "nothing was changed" in said.stdout
    assert host.changes() == before


def test_install_proves_itself(host: Sandbox) -> None:
    """One command installs, and ends with a payload in a VM by km, krun and each engine."""
    dockerd = running(host)

    said = install(host)

    assert said.returncode == 0, said.stdout + said.stderr
    for proof in PROOFS:
        assert re.search(rf"^pass  {proof} .*\.kontain\.KVM", said.stdout, re.MULTILINE), (
            said.stdout
        )
    assert "[7/9] docker: register the runtime kontain" in said.stdout
    assert "/docs" in said.stdout.splitlines()[-1]
    assert running(host) == dockerd  # no engine is restarted


def test_the_builder_was_not_root(host: Sandbox) -> None:
    """A build in the user's checkout belongs to the user."""
    foreign = host.run("find", CHECKOUT, "!", "-user", "1000").stdout

    assert foreign == ""


def test_second_run_changes_nothing(host: Sandbox) -> None:
    """A second run finds without Ansible that there is nothing to change, and is right."""
    before = host.changes()

    said = install(host)

    assert said.returncode == 0, said.stdout + said.stderr
    assert "nothing changed" in said.stdout
    assert "[1/" not in said.stdout
    assert host.changes() == before


def test_json_is_one_object(host: Sandbox) -> None:
    """With --json, standard output is one object with the checks, the changes and the proofs."""
    said = install(host, "--json")

    outcome = json.loads(said.stdout)
    assert (outcome["status"], outcome["error"]) == (0, None)
    assert outcome["run"] == {"changed": False, "changes": [], "failures": []}
    assert outcome["check"]["exit_status"] in (0, 1)
    proofs = {result["check"]: result["status"] for result in outcome["proof"]["results"]}
    shown = ("files", "registered-docker", "registered-podman", *PROOFS)
    absent = ("containerd", "crio", "k0s", "k3s", "microk8s", "rke2")
    others = (*(f"registered-{engine}" for engine in absent), "proof-containerd")
    assert proofs == {**dict.fromkeys(shown, "pass"), **dict.fromkeys(others, "skip")}


def test_the_log_is_roots(host: Sandbox) -> None:
    """The log tells every run, to root only."""
    state = host.run("stat", "-c", "%a %U", LOG, f"{LOG}/install.log").stdout.split()

    assert state == ["700", "root", "600", "root"]
    assert host.run("grep", "-c", "install.sh .* install$", f"{LOG}/install.log").stdout == "3\n"


def test_two_runs_at_once_are_refused(host: Sandbox) -> None:
    """While one runs, another ends with a word, and does nothing."""
    hold = host.command("flock", "/run/kontain-install.lock", "sh", "-c", "echo locked; cat")
    with subprocess.Popen(hold, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as holder:
        assert holder.stdout
        assert holder.stdout.readline() == b"locked\n"
        said = install(host)
        holder.communicate()  # ends cat, and the lock with it

    assert said.returncode == 1
    assert "another install.sh is at work" in said.stderr


def test_broken_engine_configuration_is_refused(host: Sandbox) -> None:
    """A daemon.json that is broken is named by the checks, and nothing is touched."""
    path = "/etc/docker/daemon.json"
    good = host.run("cat", path).stdout
    host.run("sh", "-c", f"echo '{{not json' >{path}").check_returncode()

    said = install(host)

    assert said.returncode == 3
    assert path in said.stdout
    assert "this host cannot run Kontain" in said.stderr
    assert host.run("cat", path).stdout == "{not json\n"
    host.run("sh", "-c", f"cat >{path}", input=good).check_returncode()


def test_uninstall_restores_the_host(host: Sandbox) -> None:
    """After --uninstall every file is as before, and dockerd, which ran on, forgot the runtime."""
    dockerd = running(host)

    said = install(host, "--uninstall")

    assert said.returncode == 0, said.stdout + said.stderr
    assert changes(host) == {}
    assert running(host) == dockerd
    assert "kontain" not in host.run("docker", "info").stdout


def test_uninstall_twice_has_nothing_to_do(host: Sandbox) -> None:
    """--uninstall of what is not there is good, and changes nothing."""
    said = install(host, "--uninstall")

    assert said.returncode == 0, said.stderr
    assert changes(host) == {}


def test_a_host_on_which_km_fails_is_refused(host: Sandbox) -> None:
    """Where km's own probe fails, install.sh ends with 3 and km's words before it changes anything."""
    km = f"{CHECKOUT}/build/km/km"
    words = "echo 'km: KVM refuses its own CPUID: Operation not permitted.' >&2\n"
    failing = (
        f"#!/bin/sh\necho result=failed\n{words}echo 'To fix: update the kernel.' >&2\nexit 125\n"
    )
    good = host.run("cat", km, text=False).stdout
    before = host.changes()

    host.run("tee", km, input=failing.encode(), text=False)
    said = install(host, "--engines=podman")
    host.run("tee", km, input=good, text=False)

    assert said.returncode == 3, said.stdout + said.stderr
    assert (
        "install.sh: this host cannot run Kontain: kvm-guest: km: KVM refuses its own"
        in said.stderr
    )
    assert "To fix: update the kernel" in said.stdout
    assert host.changes() == before


def test_interrupted_install_continues(host: Sandbox) -> None:
    """Ctrl-C in the middle ends with 130 and a word; the next run continues and is good."""
    # A test run in the background of a shell inherits SIGINT as ignored, which no sh can undo.
    command = host.command(
        "env", "--default-signal=INT", "setsid", "--wait", f"{CHECKOUT}/install.sh"
    )
    with subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        _wait_for(host, "/var/lib/kontain/ansible/pyvenv.cfg")
        host.run("sh", "-c", "kill -INT -$(pgrep -o -f platform/install.sh)").check_returncode()
        _, said = run.communicate(timeout=60)

    assert run.returncode == 130
    assert "interrupted while fetching Ansible" in said
    again = install(host, "--engines", "podman")
    assert again.returncode == 0, again.stdout + again.stderr
    assert "docker: register" not in again.stdout
    assert install(host, "--uninstall").returncode == 0
    assert changes(host) == {}


def _wait_for(host: Sandbox, path: str) -> None:
    for _ in range(300):
        if host.run("test", "-e", path).returncode == 0:
            return
        time.sleep(0.1)
    pytest.fail(f"{path} did not appear")


def test_bundle_installs_without_a_checkout(host: Sandbox) -> None:
    """An unpacked bundle has all that its install.sh needs; it builds nothing."""
    bundle = next((ROOT / "build").glob("kontain-*-x86_64.tar.gz"), None)
    if bundle is None:
        pytest.skip("needs a bundle: run `make bundle`")
    unpack = "mkdir -p /srv/unpacked && tar -C /srv/unpacked --strip-components=1 -xzf -"
    host.run("sh", "-c", unpack, input=bundle.read_bytes(), text=False).check_returncode()

    said = host.run("/srv/unpacked/install.sh", "--engines=podman")

    assert said.returncode == 0, said.stdout + said.stderr
    assert "building" not in said.stdout
    assert re.search(r"^pass  proof-podman .*\.kontain\.KVM", said.stdout, re.MULTILINE)
    assert "nothing changed" in host.run("/srv/unpacked/install.sh", "--engines=podman").stdout
    assert host.run("/srv/unpacked/install.sh", "--uninstall").returncode == 0


def test_collection_builds_its_own_release(host: Sandbox, artifact: Path) -> None:
    """Installed elsewhere from its tarball, without a bundle, it builds one, and undoes all."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "ANSIBLE_COLLECTIONS_PATH": "/srv/collections",
    }
    fetch = "cat >/srv/platform.tar.gz && chmod 0644 /srv/platform.tar.gz"
    host.run("sh", "-c", fetch, input=artifact.read_bytes(), text=False).check_returncode()
    galaxy = ("ansible-galaxy", "collection", "install", "--offline", "/srv/platform.tar.gz")
    host.run(*galaxy, "-p", "/srv/collections", env=environment).check_returncode()
    changed: dict[str, bool] = {}
    for playbook in ("install", "install", "verify", "uninstall"):
        said = host.run("ansible-playbook", f"kontain.platform.{playbook}", env=environment)
        assert said.returncode == 0, said.stdout + said.stderr
        changed[playbook] = "changed=0" not in said.stdout
    assert changed == {"install": False, "verify": False, "uninstall": True}  # the second install

    left = [path for path in changes(host) if path.startswith(("/opt", "/etc", "/usr/local"))]
    assert left == []


def test_without_any_engine_podman_is_installed() -> None:
    """On a host with no engine, backend or musl, the distribution's packages are brought."""
    with closing(Sandbox()) as bare:
        copy_checkout(bare)
        gone = ("docker.io", "podman", "crun", "runc", "containerd", "musl-tools")
        bare.run("apt-get", "-y", "purge", *gone).check_returncode()

        said = install(bare)

        assert said.returncode == 0, said.stdout + said.stderr
        assert "podman: install distribution packages: podman, register the" in said.stdout
        for proof in PROOFS[:3]:
            assert re.search(rf"^pass  {proof} .*\.kontain\.KVM", said.stdout, re.MULTILINE)
        assert "nothing changed" in install(bare).stdout
        assert install(bare, "--uninstall").returncode == 0
        left = [path for path in changes(bare) if path.startswith(("/opt", "/etc/kontain"))]
        assert left == []
