# SPDX-License-Identifier: Apache-2.0
"""Containers of podman and docker on an installed host, each in a VM of its own."""

from __future__ import annotations

import os

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tests.molecule.engine_on_host import IMAGE, Engine

IN_A_VM = ".kontain.KVM"
WHOLE = os.environ.get("KONTAIN_VMS") == "all"

longer = pytest.mark.skipif(not WHOLE, reason="a part of the long set: run `make molecule-all`")


def test_container_runs_in_a_vm(host: Host, engine: Engine) -> None:
    """A container under the runtime kontain runs in a VM, and one without it does not."""
    assert engine.run("--rm", "uname -r").endswith(IN_A_VM)
    assert engine(f"run --rm {IMAGE} uname -r") == host.check_output("uname -r")


def test_container_from_scratch_says_hello(engine: Engine) -> None:
    """An image with nothing but a payload runs."""
    assert IN_A_VM in engine.run("--rm", "/hello.km")


def test_container_has_its_payloads_status(engine: Engine) -> None:
    """The status of a payload is the status of the container."""
    engine.run("--rm", "sh -c 'exit 7'", status=7)


def test_missing_payload_is_status_127(host: Host, engine: Engine) -> None:
    """A payload that the image does not have ends the run with 127 and the payload's name."""
    done = host.run(f"{engine.name} run --rm --runtime kontain {IMAGE} /nowhere")
    assert done.rc == 127
    assert "/nowhere" in done.stderr


@longer
def test_exec_runs_in_a_vm(engine: Engine) -> None:
    """A program that is started in a running container runs in a VM, with its own status."""
    container = engine.run("-d", "sleep 1000")
    assert engine(f"exec {container} uname -r").endswith(IN_A_VM)
    engine(f"exec {container} sh -c 'exit 9'", status=9)
    engine.remove(container)


@longer
def test_volume_is_shared_with_the_host(host: Host, engine: Engine) -> None:
    """The payload reads files that the host puts into a volume."""
    host.check_output("mkdir -p /run/molecule/volume && echo ours >/run/molecule/volume/file")
    assert engine.run("--rm -v /run/molecule/volume:/data", "cat /data/file") == "ours"


@longer
@pytest.mark.parametrize("option", ["--init", "--read-only --tmpfs /tmp", "--user 1000:1000"])
def test_ordinary_options(engine: Engine, option: str) -> None:
    """Options that change the container's process or its root leave it in a VM."""
    assert engine.run(f"--rm {option}", "uname -r").endswith(IN_A_VM)


@longer
def test_healthcheck(engine: Engine) -> None:
    """A health check runs in a VM, and its status is the container's."""
    check = "--health-cmd 'uname -r >/tmp/kernel' --health-interval 1s --health-timeout 60s"
    container = engine.run(f"-d {check}", "sleep 1000")
    if engine.name == "podman":
        engine(f"healthcheck run {container}")
    else:
        engine.wait_until(container, ".State.Health.Status", "healthy")
    assert IN_A_VM in engine(f"exec {container} cat /tmp/kernel")
    engine.remove(container)


@longer
def test_failed_container_is_restarted(engine: Engine) -> None:
    """A restart policy starts a container that failed as often as it says."""
    container = engine.run("-d --restart on-failure:2", "sh -c 'exit 3'")
    engine(f"wait {container}")
    engine.wait_until(container, ".State.Status", "exited")
    found = engine.inspect(container)
    assert (found["RestartCount"], found["State"]["ExitCode"]) == (2, 3)
    engine.remove(container)


@longer
def test_memory_limit_ends_the_container(engine: Engine) -> None:
    """A payload over its memory limit is killed; the engine says so if it does under its own."""
    ends = []
    for runtime in ("--runtime kontain", ""):
        limits = "--memory 64m --memory-swap 64m"
        container = engine(f"run -d {runtime} {limits} {IMAGE} tail /dev/zero")
        assert engine(f"wait {container}").split()[-1] == "137"
        ends.append(engine.inspect(container)["State"]["OOMKilled"])
        engine.remove(container)
    assert ends[0] or not ends[1]  # docker 20.10 misses some, podman 4.3 all


@longer
def test_published_port_is_answered(host: Host, engine: Engine) -> None:
    """A server in a VM answers at the port of the host that the engine publishes."""
    port = {"podman": 8081, "docker": 8082}[engine.name]
    container = engine.run(
        f"-d -p 127.0.0.1:{port}:80", "sh -c 'uname -r >/tmp/index.html; httpd -f -p 80 -h /tmp'"
    )
    ask = f"busybox wget -q -O - http://127.0.0.1:{port}/"
    answer = host.check_output(f"for try in $(seq 60); do {ask} && break; sleep 1; done")
    assert answer.endswith(IN_A_VM)
    engine.remove(container)


@longer
def test_uids_are_mapped(host: Host) -> None:
    """Root of a container with a map of users is an ordinary user of the host, in its VM too."""
    podman = Engine(host, "podman")
    maps = "--uidmap 0:200000:1000 --gidmap 0:200000:1000"
    assert podman.run(f"--rm {maps}", "uname -r").endswith(IN_A_VM)
    container = podman.run(f"-d {maps}", "sleep 1000")
    pid = podman.inspect(container)["State"]["Pid"]
    assert host.check_output(f"stat -c %u /proc/{pid}") == "200000"
    assert podman(f"exec {container} id -u") == "0"
    podman.remove(container)


@longer
def test_pod_runs_in_vms(host: Host) -> None:
    """Containers of a pod share its network, and each runs in a VM."""
    podman = Engine(host, "podman")
    if podman("--version").startswith("podman version 3."):
        pytest.skip("podman 3 takes the pod's pause from a registry: the other releases show it")
    podman("pod create --name kontain-pod")
    server = podman.run(
        "-d --pod kontain-pod", "sh -c 'uname -r >/tmp/index.html; httpd -f -p 80 -h /tmp'"
    )
    ask = "sh -c 'for i in 1 2 3 4 5 6; do wget -q -O - http://127.0.0.1/ && break; sleep 2; done'"
    assert podman.run("--rm --pod kontain-pod", ask).endswith(IN_A_VM), server
    podman("pod rm --force kontain-pod")


@longer
def test_ordinary_user_runs_a_vm(user: Host) -> None:
    """A user in group kvm, logged in, runs rootless containers in VMs with root's runtime."""
    podman = Engine(user, "podman")
    assert podman.run("--rm", "uname -r").endswith(IN_A_VM)
    container = podman.run("-d", "sleep 1000")
    pid = podman.inspect(container)["State"]["Pid"]
    assert user.check_output(f"stat -c %U /proc/{pid}") == "user"
    assert podman(f"exec {container} uname -r").endswith(IN_A_VM)
    podman.remove(container)


def test_no_container_is_left(engine: Engine) -> None:
    """No container is left of the runs before."""
    assert engine("ps --all --quiet") == ""
