# SPDX-License-Identifier: Apache-2.0
"""A kubelet's view of a pod under kontain and under runc: equal, but for the kernel and rights refused."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import pytest

from .containerd import Containerd, OfSuite, message
from .engines import PrivateHost
from .pods import CONTAINER, NODE, POD, RUNNING, TARGET, Options, Outcome, Pod
from .support import IN_A_VM, need_programs, wait_until

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

RUNTIMES = ("runc", "kontain")
SUITES = {"trixie": "1.7.", "forky": "2."}
"""Suites of Debian, with how the version of their containerd begins."""
MEMORY_64M = Options(resources=[(4, 64 << 20)])
DROP_ALL = Options(security=[(1, message((2, "ALL")))])
AS_65534 = Options(security=[(5, message((1, 65534))), (12, message((1, 7))), (8, b"\x08")])


def sh(command: str) -> list[str]:
    """Return the words that run a shell's command."""
    return ["/bin/sh", "-c", command]


CASES: dict[str, tuple[Sequence[str], Options]] = {
    "streams": (sh("echo out; echo err >&2; exit 5"), Options()),
    "missing variable, present one": (sh("echo $A-$B"), Options(config=[(6, message((1, "A"), (2, "b")))])),
    "working folder and arguments": (
        sh("pwd; echo $0 $1"), Options(config=[(4, "x"), (4, "y"), (5, "/usr/bin")]),
    ),
    "killed": (sh("kill -9 $$"), Options()),
    "out of memory": (sh("tail -c 200m /dev/zero | tail -c 150m >/dev/null; exit ${PIPESTATUS-0}"), MEMORY_64M),
    "user, group and more groups": (sh("id -u; id -g; id -G"), AS_65534),
    "read-only root": (sh("touch /f || echo refused"), Options(security=[(7, 1)])),
    "no capability": (sh("grep CapEff /proc/self/status"), DROP_ALL),
    "capabilities by default": (sh("grep CapEff /proc/self/status"), Options()),
    "no new privileges": (sh("grep NoNewPrivs /proc/self/status"), Options(security=[(11, 1)])),
    "masked files": (
        sh("head -c 4 /proc/kcore | wc -c; ls /sys/firmware"),
        Options(security=[(13, "/proc/kcore"), (13, "/sys/firmware")]),
    ),
    "processes": (sh("sleep 99 & until ps -e -o comm= | grep sleep; do :; done; ps -e -o comm= >/ps; sort -u /ps"), Options()),
    "signals": (sh("trap 'echo term; exit 9' TERM; kill -TERM $$; sleep 1"), Options()),
    "score for the OOM killer": (sh("cat /proc/self/oom_score_adj"), Options(resources=[(5, 500)])),
    "a device": (
        sh("head -c 3 /dev/given | wc -c; echo x >/dev/given || echo full"),
        Options(config=[(8, message((1, "/dev/given"), (2, "/dev/full"), (3, "rw")))]),
    ),
    "a tty": (["/bin/tty"], Options(config=[(14, 1)])),
}  # fmt: skip


@pytest.fixture(scope="module", params=["host", *SUITES])
def containerd(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Containerd]:
    """Return a containerd that has both runtimes: this host's, or with its runc of another suite."""
    folder = tmp_path_factory.mktemp("cri")
    if request.param == "host":
        need_programs("containerd", "ctr", "curl", "runc")
        host = PrivateHost("runc")
    else:
        need_programs("mmdebstrap", "curl")
        host = OfSuite(folder, request.param)
    try:
        made = Containerd(folder, host)
        assert made.version.startswith(SUITES.get(request.param, ""))
        yield made
        made.close()
    finally:
        host.close()


@pytest.fixture(scope="module")
def pods(containerd: Containerd) -> Iterator[dict[str, Pod]]:
    """Return a pod under each runtime."""
    made = {runtime: Pod(containerd, runtime, f"as-{runtime}") for runtime in RUNTIMES}
    for pod in made.values():
        pod.start()
    yield made
    for pod in made.values():
        pod.stop()


@pytest.mark.parametrize("case", CASES)
def test_a_container_ends_alike(pods: dict[str, Pod], case: str) -> None:
    """Status, reason and log of a container are those that it has under runc."""
    command, options = CASES[case]
    name = re.sub(r"\W+", "-", case)
    native, ours = (pods[runtime].run(name, command, options) for runtime in RUNTIMES)
    assert ours == native


def test_volumes_are_shared_with_the_host(containerd: Containerd, pods: dict[str, Pod]) -> None:
    """A volume is read and written in place, and one that is read-only is not written."""
    for runtime, pod in pods.items():
        folder = containerd.folder / f"volume-{runtime}"
        folder.mkdir()
        (folder / "file").write_text("from the host\n")
        mounts = [
            (7, message((1, "/rw"), (2, str(folder)))),
            (7, message((1, "/ro"), (2, str(folder)), (3, 1))),
        ]
        script = "cat /rw/file; echo new >/rw/new; touch /ro/x || echo refused"
        outcome = pod.run("volumes", sh(script), Options(config=mounts))
        assert "from the host" in outcome.log
        assert "stdout: refused" in outcome.log
        assert (folder / "new").read_text() == "new\n"


def says(pod: Pod, name: str, word: str) -> bool:
    """Return whether a container has written WORD."""
    return word in pod.log(name)


def test_a_container_is_looked_after_alike(pods: dict[str, Pod]) -> None:
    """Exec, its status, a program that is not there, stats, new limits, and a stop after a grace."""
    found: dict[str, list[object]] = {}
    for runtime, pod in pods.items():
        call = pod.containerd.cri
        one = pod.create("lives", sh("trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done"))
        call("StartContainer", (1, one))
        wait_until(partial(says, pod, "lives", "up"))
        seen: list[object] = [pod.status(one)[3] == RUNNING]
        seen.append(pod.execute(one, "/bin/sh", "-c", "echo o; echo e >&2; exit 7"))
        status, said, _ = pod.execute(one, "/bin/uname", "-r")
        seen += [status, IN_A_VM in said if runtime == "kontain" else IN_A_VM not in said]
        stats = call("ContainerStats", (1, one))[1]
        seen.append(isinstance(stats, bytes) and len(stats) > 0)
        call("UpdateContainerResources", (1, one), (2, message((3, 512), (4, 128 << 20))))
        call("StopContainer", (1, one), (2, 10))
        seen.append(pod.status(one)[7])
        call("RemoveContainer", (1, one))
        found[runtime] = seen
    assert found["kontain"] == found["runc"]


def test_namespaces_of_the_node_are_given(containerd: Containerd) -> None:
    """With hostPID and hostIPC a container is in those namespaces, as it is under runc."""
    there = [Path(f"/proc/self/ns/{name}").readlink() for name in ("pid", "ipc")]
    script = "readlink /proc/self/ns/pid /proc/self/ns/ipc; kill -0 1 && [ $$ -gt 2 ] && echo seen"
    for runtime in RUNTIMES:
        pod = Pod(containerd, runtime, f"node-{runtime}", pid=NODE, ipc=NODE)
        pod.start()
        outcome = pod.run("one", sh(script), Options(pid=NODE, ipc=NODE))
        pod.stop()
        assert outcome.log == "".join(f"stdout: {one}\n" for one in (*there, "seen"))


def test_containers_of_a_pod_share_their_processes(pods: dict[str, Pod]) -> None:
    """With shareProcessNamespace a container sees the other's processes, and its signals reach them."""
    said: dict[str, tuple[Outcome, bytes | int]] = {}
    script = "ps -e -o comm= >/ps; sort /ps; kill -TERM $(ps -e -o pid=,comm= | sed -n 's/sleep$//p' | tail -n 1)"
    for runtime in RUNTIMES:
        pod = Pod(pods[runtime].containerd, runtime, f"shared-{runtime}", pid=POD)
        pod.start()
        other = pod.create("other", ["/bin/sleep", "1000"], Options(pid=POD))
        pod.containerd.cri("StartContainer", (1, other))
        looks = pod.run("looks", sh(script), Options(pid=POD))
        pod.wait(other)
        said[runtime] = looks, pod.status(other)[7]
        pod.stop()
    assert said["kontain"] == said["runc"]
    assert said["runc"][1] == 128 + 15


def test_an_ephemeral_container_sees_its_target(pods: dict[str, Pod]) -> None:
    """`kubectl debug --target` joins a running container: its processes, files and signals are there."""
    said: dict[str, tuple[Outcome, bytes | int]] = {}
    app = sh("echo kept >/tmp/file; trap 'exit 9' TERM; echo up; while :; do sleep 0.1; done")
    script = "cat /proc/1/comm /proc/1/root/tmp/file; readlink /proc/1/exe; kill -TERM 1"
    for runtime, pod in pods.items():
        target = pod.create("app", app)
        pod.containerd.cri("StartContainer", (1, target))
        wait_until(partial(says, pod, "app", "up"))
        looks = pod.run("debugger", sh(script), Options(pid=TARGET, target=target))
        pod.wait(target)
        said[runtime] = looks, pod.status(target)[7]
    assert said["kontain"] == said["runc"]
    assert said["runc"][1] == 9


def test_a_pod_has_users_of_its_own(containerd: Containerd) -> None:
    """With `hostUsers: false` root of a container is a user of the node's, and owns its volumes there."""
    if not containerd.version.startswith("2."):
        pytest.skip("needs containerd 2, the first to map the users of a pod's volumes")
    ids = message((1, 100000), (2, 0), (3, 65536))
    folder = containerd.folder / "volume-of-users"
    folder.mkdir()
    (folder / "file").touch()
    mount = (7, message((1, "/v"), (2, str(folder)), (6, ids), (7, ids)))
    script = (
        "cat /proc/self/uid_map; id -u; stat -c %u /v/file; touch /v/$1; kill -0 $$ && echo done"
    )
    said: dict[str, Outcome] = {}
    for runtime in RUNTIMES:
        pod = Pod(containerd, runtime, f"users-{runtime}", users=message((2, ids), (3, ids)))
        pod.start()
        words = [*sh(script), "sh", runtime]
        said[runtime] = pod.run("one", words, Options(config=[mount], pid=CONTAINER))
        pod.stop()
        assert (folder / runtime).stat().st_uid == 0
    assert said["kontain"] == said["runc"]
    assert said["runc"].log.split()[1:4] == ["0", "100000", "65536"]


def has_no_probe(pod: Pod, identity: str) -> bool:
    """Return whether the probe of the next test runs in a container no more."""
    look = "! grep -qs 60[.]5 /proc/[0-9]*/cmdline"
    return pod.execute(identity, "/bin/sh", "-c", look)[0] == 0


def test_a_probe_that_takes_too_long_ends(pods: dict[str, Pod]) -> None:
    """At the time limit of an exec probe its process is killed, and the container runs on."""
    for runtime, pod in pods.items():
        one = pod.create("probed", ["/bin/sleep", "1000"])
        pod.containerd.cri("StartContainer", (1, one))
        with pytest.raises(AssertionError, match=r"grpc-status: 4|imeout|eadline"):
            pod.execute(one, "/bin/sleep", "60.5", limit_s=1)
        wait_until(partial(has_no_probe, pod, one))
        assert pod.status(one)[3] == RUNNING, runtime
        pod.containerd.cri("StopContainer", (1, one), (2, 0))


def test_kontain_refuses_rights_over_the_host(pods: dict[str, Pod]) -> None:
    """A difference that is wanted: CAP_SYS_ADMIN is had under runc, and refused under kontain."""
    options = Options(security=[(1, message((1, "SYS_ADMIN")))])
    assert pods["runc"].run("rights", sh("true"), options).status == 0
    refused = pods["kontain"].create("rights", sh("true"), options)
    with pytest.raises(AssertionError, match="CAP_SYS_ADMIN"):
        pods["kontain"].containerd.cri("StartContainer", (1, refused))


def test_a_privileged_container_is_refused(containerd: Containerd) -> None:
    """`privileged: true` ends before anything of the container runs, and the message names a right."""
    pod = Pod(containerd, "kontain", "privileged", privileged=True)
    pod.start()
    refused = pod.create("all", sh("true"), Options(security=[(2, 1)]))
    with pytest.raises(AssertionError, match="CAP_"):
        containerd.cri("StartContainer", (1, refused))
    assert pod.status(refused)[3] != RUNNING
    pod.stop()


def test_a_checkpoint_is_refused(pods: dict[str, Pod]) -> None:
    """A documented difference: CRIU knows no VM, so a checkpoint ends with krun's own words."""
    pod = pods["kontain"]
    one = pod.create("kept", ["/bin/sleep", "1000"])
    pod.containerd.cri("StartContainer", (1, one))
    done = pod.containerd.ctr("-n", "k8s.io", "task", "checkpoint", one)
    assert done.returncode != 0
    assert "checkpoint" in done.stderr
    assert pod.status(one)[3] == RUNNING
    pod.containerd.cri("StopContainer", (1, one), (2, 0))


def test_a_pod_costs_no_more_than_its_overhead(containerd: Containerd) -> None:
    """The RuntimeClass says 4 MiB for a pod: sandbox and container take no more beyond runc's."""
    took: dict[str, list[float]] = {runtime: [] for runtime in RUNTIMES}
    used: dict[str, list[int]] = {runtime: [] for runtime in RUNTIMES}
    for number in range(5):
        for runtime in RUNTIMES:
            cgroup = f"/kontain-pods-{number}-{runtime}"
            pod = Pod(containerd, runtime, f"cost-{runtime}-{number}", cgroup)
            begin = time.monotonic()
            pod.start()
            one = pod.create("idle", ["/bin/sleep", "1000"])
            containerd.cri("StartContainer", (1, one))
            took[runtime].append(time.monotonic() - begin)
            time.sleep(0.5)
            used[runtime].append(memory(cgroup))
            pod.stop()
            for folder in [
                *Path("/sys/fs/cgroup").glob(f"*{cgroup}"),
                Path(f"/sys/fs/cgroup{cgroup}"),
            ]:
                if folder.is_dir():
                    folder.rmdir()
    middle = {runtime: sorted(used[runtime])[2] / (1 << 20) for runtime in RUNTIMES}
    times = {runtime: min(took[runtime]) for runtime in RUNTIMES}
    print({name: f"{mib:.1f} MiB, {times[name] * 1e3:.0f} ms" for name, mib in middle.items()})
    assert middle["kontain"] - middle["runc"] < 4
    assert times["kontain"] < 3 * times["runc"]


def memory(cgroup: str) -> int:
    """Return the bytes that a pod uses, without what the page cache keeps of files."""
    v1 = Path(f"/sys/fs/cgroup/memory{cgroup}")
    folder = v1 if v1.exists() else Path(f"/sys/fs/cgroup{cgroup}")
    lines = (folder / "memory.stat").read_text().splitlines()
    stat = {name: int(value) for name, value in (line.split() for line in lines)}
    if v1.exists():
        usage = int((folder / "memory.usage_in_bytes").read_text())
        return usage - stat["total_active_file"] - stat["total_inactive_file"]
    usage = int((folder / "memory.current").read_text())
    return usage - stat["active_file"] - stat["inactive_file"]
