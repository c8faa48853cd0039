# SPDX-License-Identifier: Apache-2.0
"""krun under containerd: by ctr, and as the runtime of a kubelet's pods through the CRI."""

from __future__ import annotations

import time
from collections.abc import Iterator

import pytest

from .containerd import Containerd, message, parsed
from .engines import DEBIAN, PrivateHost
from .support import IN_A_VM, KRUN, PATIENCE, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

IMAGE = f"localhost/{DEBIAN}"
EXITED = 2  # ContainerState of the CRI


@pytest.fixture(scope="module", params=["runc", "crun"])
def containerd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containerd]:
    """Return a containerd that uses krun over one backend."""
    need_programs("containerd", "ctr", "podman", "curl", "runc", request.param)
    host = PrivateHost(request.param)
    try:
        made = Containerd(tmp_path_factory.mktemp("ctr"), host)
        yield made
        made.close()
    finally:
        host.close()


def test_ctr(containerd: Containerd) -> None:
    """The shim of containerd runs, joins, pauses, measures and removes containers of krun."""
    call, runtime = containerd.ctr, f"--runc-binary={KRUN}"

    done = call("run", "--rm", runtime, IMAGE, "a", "sh", "-c", "uname -r; exit 5")
    assert (done.stdout.endswith(f"{IN_A_VM}\n"), done.returncode) == (True, 5), done.stderr
    assert call("run", "-d", runtime, IMAGE, "b", "sleep", "300").returncode == 0
    done = call("task", "exec", "--exec-id=e", "b", "uname", "-r")
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr
    assert len(call("task", "ps", "b").stdout.splitlines()) > 1
    assert call("task", "pause", "b").returncode == 0
    assert "PAUSED" in call("task", "ls").stdout
    assert call("task", "resume", "b").returncode == 0
    assert "memory" in call("task", "metrics", "b").stdout
    assert call("task", "kill", "--signal=9", "b").returncode == 0
    end = time.monotonic() + 20 * PATIENCE
    while "STOPPED" not in call("task", "ls").stdout:
        assert time.monotonic() < end
    call("task", "rm", "b")
    assert call("container", "rm", "b").returncode == 0


def test_pod_of_a_kubelet(containerd: Containerd) -> None:
    """A sandbox and a container live, answer execs, change limits, stop and go, all in VMs."""
    call = containerd.cri
    metadata = message((1, "pod"), (2, "uid"), (3, "default"))
    on_the_host = message((2, message((1, message((1, 2))))))  # NamespaceMode NODE
    pod = message((1, metadata), (3, str(containerd.folder)), (8, on_the_host))
    sandbox = text(call("RunPodSandbox", (1, pod))[1])

    command = [(3, word) for word in ("/bin/sh", "-c", "/bin/uname -r; exec /bin/sleep 300")]
    image = message((1, IMAGE))
    config = message((1, message((1, "one"))), (2, image), *command, (11, "one.log"))
    container = text(call("CreateContainer", (1, sandbox), (2, config), (3, pod))[1])
    call("StartContainer", (1, container))
    done = call("ExecSync", (1, container), (2, "/bin/uname"), (2, "-r"), (3, 20))
    assert text(done[1]).endswith(f"{IN_A_VM}\n")
    done = call("ExecSync", (1, container), (2, "/bin/sh"), (2, "-c"), (2, "exit 7"), (3, 20))
    assert done[3] == 7
    call("UpdateContainerResources", (1, container), (2, message((3, 512))))
    assert (containerd.folder / "one.log").read_text().endswith(f"{IN_A_VM}\n")
    call("StopContainer", (1, container), (2, 0))
    status = call("ContainerStatus", (1, container))[1]
    assert isinstance(status, bytes)
    assert (3, EXITED) in parsed(status).items()
    call("RemoveContainer", (1, container))
    call("StopPodSandbox", (1, sandbox))
    call("RemovePodSandbox", (1, sandbox))
    assert sandbox not in containerd.ctr("-n", "k8s.io", "container", "ls").stdout


def text(value: bytes | int) -> str:
    """Return the text of a field."""
    assert isinstance(value, bytes)
    return value.decode()
