# SPDX-License-Identifier: Apache-2.0
"""Kubernetes of Debian on a bare node: it becomes a Kontain node, is upgraded, and goes back exactly."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.collection.sandbox import WHOLE_INSTALL
from tests.deploy import manifests
from tests.deploy.cluster import LAB, NODE, ROOT, Cluster, binaries, running
from tests.krun.support import PATIENCE

pytestmark = [*WHOLE_INSTALL]

IMAGE = "localhost/kontain/kubernetes"
NEXT = "0.1.99"
IN_A_VM = ".kontain.KVM"
CONFIG = "/etc/containerd/config.toml"
FIFTY_S = 50


@pytest.fixture(scope="module")
def images(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Return version → the archive of the node image, for this version and for one that follows."""
    made = {}
    for version in (manifests.VERSION, NEXT):
        folder = tmp_path_factory.mktemp(f"image-{version}")
        command = [sys.executable, "-m", "tools.release.node_image", version, str(folder)]
        path = f"{ROOT}/host:{ROOT}/preflight:{ROOT}/runenv"
        environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin"}
        subprocess.run(command, cwd=ROOT, env=environment, check=True)
        made[version] = folder / "kubernetes.tar"
    return made


@pytest.fixture
def cluster(tmp_path: Path, images: dict[str, Path]) -> Iterator[Cluster]:
    """Return a cluster whose node is bare, and has the images."""
    with running(tmp_path) as made:
        for image in images.values():
            made.load(image)
        yield made


def test_from_a_bare_node_and_back(cluster: Cluster) -> None:
    """Two commands lead to a pod in a VM; upgrade, rollback and uninstallation keep their word."""
    install(cluster)
    the_fleets_report_has_the_node(cluster)
    two_commands_are_enough(cluster)
    workloads_run(cluster)
    a_service_is_reached_from_a_vm(cluster)
    a_second_apply_restarts_nothing(cluster)
    restarts_leave_pods_alone(cluster)
    many_pods_at_once_get_ready(cluster)
    an_upgrade_leaves_pods_alone(cluster)
    a_rollback_stays(cluster)
    uninstallation_is_refused_under_pods(cluster)
    uninstallation_is_exact(cluster)


def test_an_installer_may_be_killed_at_each_step(cluster: Cluster) -> None:
    """Wherever it was killed, the next one undoes or continues it, and the node gets its label."""
    moments = (
        "test -d /var/lib/kontain-node",
        "test -s /var/lib/kontain/journal.jsonl",
        "test -e /opt/kontain/current",
        f"grep -q kontain {CONFIG}",
    )
    cluster.apply(manifests.built("base"))
    for moment in moments:
        cluster.wait(moment, partial(is_so, cluster, moment))
        kill_installer(cluster)
    cluster.wait("the label", lambda: cluster.labels().get("state") == "ready")


def test_a_node_that_cannot_run_vms_gets_no_label(cluster: Cluster) -> None:
    """An Event says so, nothing is changed on it, and it gets its label when it can."""
    cluster.run("mount", "--bind", "/dev/null", "/dev/kvm")
    cluster.apply(manifests.built("base"))
    cluster.wait("the verdict", lambda: cluster.labels().get("state") == "failed")
    assert "runtime" not in cluster.labels()
    words = cluster.events()["KontainFailed"]
    assert "/dev/kvm" in words
    assert "To fix: " in words
    assert cluster.run("cat", CONFIG) == cluster.run("cat", f"{LAB}/before.toml")
    assert cluster.call("ls", "/opt/kontain", "/var/lib/kontain").returncode != 0
    cluster.wait("a rollout may continue", lambda: "Ready" in node_pods(cluster).values())

    cluster.run("umount", "/dev/kvm")
    cluster.wait("the label", lambda: cluster.labels().get("runtime") == "kontain")


def page_commands() -> list[str]:
    """Return the two commands of the page that begin a cluster."""
    page = (ROOT / "docs/how-to/use-kubernetes.md").read_text()
    block = page[page.index("<!-- not run: tests/deploy/test_cluster.py runs these two") :]
    lines = block[block.index("```bash") :].splitlines()[1:3]
    assert all(line.startswith("kubectl apply ") for line in lines)
    return lines


def upgrade_commands(title: str) -> list[str]:
    """Return the commands below a title of the page on upgrades."""
    page = (ROOT / "docs/how-to/upgrade-a-cluster.md").read_text()
    block = page[page.index(f"## {title}") :]
    block = block[block.index("```bash\n") + 8 :]
    return block[: block.index("```")].splitlines()


def install(cluster: Cluster) -> None:
    """The page's first command keeps its promise."""
    cluster.shell(page_commands()[0])
    cluster.wait("the label", lambda: cluster.labels().get("state") in ("ready", "failed"))
    assert cluster.labels() == {
        "runtime": "kontain",
        "state": "ready",
        "version": manifests.VERSION,
    }
    assert "KontainReady" in cluster.events()
    cluster.wait("its pod is Ready", lambda: list(node_pods(cluster).values()) == ["Ready"])
    proofs = ("-n", "kontain-system", "-lapp=kontain-proof")
    cluster.wait("the proof goes", lambda: not cluster.pods(*proofs))


def the_fleets_report_has_the_node(cluster: Cluster) -> None:
    """The page's commands make a report of the cluster: the node, its changes, checks and proofs."""
    page = (ROOT / "docs/how-to/use-kubernetes.md").read_text()
    block = page[page.index("<!-- not run: tests/deploy/test_cluster.py runs these, too") :]
    block = block[block.index("```bash\n") + 8 :]
    log = cluster.kubectl(*block[: block.index(" >")].split()[1:])
    (cluster.folder / "nodes.log").write_text(log)
    (command,) = (line for line in block.splitlines() if "kontain fleet" in line)
    words = [f"{ROOT}/command/bin/kontain", *command.split()[1:]]
    subprocess.run(words, cwd=cluster.folder, check=True)
    report = json.loads((cluster.folder / "kontain-fleet/report.json").read_text())
    (node,) = report["hosts"]
    assert (node["host"], node["outcome"], node["release"]) == (NODE, "changed", manifests.VERSION)
    passed = {one["check"] for one in node["results"] if one["status"] == "pass"}
    assert passed >= {
        "kvm-device",
        "files",
        "registered-containerd",
        "proof-km",
        "proof-containerd",
    }
    assert node["cold_start_ms"] > 0
    assert node["facts"]["cpu"]["brand"]


def two_commands_are_enough(cluster: Cluster) -> None:
    """The page's second command leads to a pod in a VM."""
    cluster.shell(page_commands()[1])
    cluster.wait("it has run", lambda: IN_A_VM in cluster.kubectl("logs", "hello"))


def workloads_run(cluster: Cluster) -> None:
    """A Deployment with probes, init containers, hooks and volumes; a StatefulSet keeps its data."""
    cluster.apply(manifests.WORKLOADS)
    cluster.wait("all are Ready", lambda: ready(cluster, "web", 2) and ready(cluster, "store", 1))
    pod = next(name for name in cluster.pods("-lapp=web"))
    assert IN_A_VM in cluster.kubectl("exec", pod, "--", "uname", "-r")
    assert "from-a-config-map" in cluster.kubectl("exec", pod, "--", "cat", "/config/key")
    address = cluster.get("pod", pod)["status"]["podIP"]
    assert IN_A_VM in cluster.run("curl", "--silent", "--show-error", f"http://{address}:8080/")

    cluster.kubectl("exec", "store-0", "--", "sh", "-c", "echo kept > /data/file")
    cluster.kubectl("delete", "pod", "store-0")
    cluster.wait("it is there again", lambda: ready(cluster, "store", 1))
    assert "kept" in cluster.kubectl("exec", "store-0", "--", "cat", "/data/file")


def a_service_is_reached_from_a_vm(cluster: Cluster) -> None:
    """A pod in a VM reaches each pod of a Service, in VMs too, by the ClusterIP in its environment."""
    ask = "wget -q -O - http://$WEB_SERVICE_HOST:$WEB_SERVICE_PORT/"
    found: set[str] = set()

    def both_answered() -> bool:
        said = cluster.kubectl("exec", "store-0", "--", "sh", "-c", ask)
        found.update(name for name in cluster.pods("-lapp=web") if name in said)
        return len(found) == 2

    address = cluster.get("service", "web")["spec"]["clusterIP"]
    variables = cluster.kubectl("exec", "store-0", "--", "sh", "-c", "echo $WEB_SERVICE_HOST")
    assert variables.strip() == address
    cluster.wait("both pods have answered", both_answered)


def a_second_apply_restarts_nothing(cluster: Cluster) -> None:
    """The same manifest again, and a new pod of the DaemonSet, change nothing on the node."""
    before = restarts(cluster)
    assert before == 1
    cluster.apply(manifests.built("base"))
    for name in node_pods(cluster):
        cluster.kubectl("-n", "kontain-system", "delete", "pod", name)
    cluster.wait("another pod is Ready", lambda: list(node_pods(cluster).values()) == ["Ready"])
    assert restarts(cluster) == before
    assert cluster.labels()["state"] == "ready"


def restarts_leave_pods_alone(cluster: Cluster) -> None:
    """Neither a restart of containerd nor one of the kubelet ends a VM."""
    before = starts(cluster)
    cluster.run("/usr/local/sbin/systemctl", "restart", "containerd.service")
    cluster.stop("kubelet")
    cluster.start_kubelet()
    cluster.wait("the node is Ready", lambda: cluster.condition("Ready") == "True")
    cluster.wait(
        "exec works", lambda: IN_A_VM in cluster.kubectl("exec", "store-0", "--", "uname", "-r")
    )
    assert starts(cluster) == before


def many_pods_at_once_get_ready(cluster: Cluster) -> None:
    """Thirty pods get Ready in VMs, in a time of the order of runc's."""
    took = {}
    for runtime in ("runc", "kontain"):
        cluster.apply(manifests.many(runtime, 30))
        begin = time.monotonic()
        cluster.wait(f"30 of {runtime}", partial(ready, cluster, f"many-{runtime}", 30))
        took[runtime] = time.monotonic() - begin
        cluster.kubectl("delete", "deployment", f"many-{runtime}", "--wait=true")
        cluster.wait("they are gone", partial(gone, cluster, f"many-{runtime}"))
    print({runtime: f"{seconds:.1f} s" for runtime, seconds in took.items()})
    assert took["kontain"] < 3 * took["runc"] + FIFTY_S * PATIENCE


def an_upgrade_leaves_pods_alone(cluster: Cluster) -> None:
    """Another version comes next to running pods, and new ones run by it."""
    before = starts(cluster)
    cluster.apply(manifests.built("base", NEXT))
    cluster.wait("the version", lambda: has(cluster, NEXT))
    assert starts(cluster) == before
    assert IN_A_VM in cluster.kubectl("exec", "store-0", "--", "uname", "-r")
    assert restarts(cluster) == 2  # the one that this test asked for


def a_rollback_stays(cluster: Cluster) -> None:
    """A Job goes back to the version before, and the DaemonSet does not undo that."""
    cluster.shell("\n".join(upgrade_commands("Roll back")))
    cluster.wait("the version", lambda: has(cluster, manifests.VERSION))
    for name in node_pods(cluster):
        cluster.kubectl("-n", "kontain-system", "delete", "pod", name)
    cluster.wait("another pod is Ready", lambda: list(node_pods(cluster).values()) == ["Ready"])
    assert cluster.labels()["version"] == manifests.VERSION


def uninstallation_is_refused_under_pods(cluster: Cluster) -> None:
    """Without its DaemonSet the node stays; the Job names the pods that are in the way."""
    job = manifests.built("uninstall").replace('value: "60"', 'value: "3"')
    cluster.kubectl("-n", "kontain-system", "delete", "daemonset", "kontain-node")
    cluster.wait("it is gone", lambda: not node_pods(cluster))
    assert cluster.labels()["runtime"] == "kontain"
    cluster.apply(job)
    cluster.wait("the refusal", lambda: "KontainStays" in cluster.events())
    assert "pod default/store-0" in cluster.events()["KontainStays"]
    assert "runtime" not in cluster.labels()
    assert IN_A_VM in cluster.kubectl("exec", "store-0", "--", "uname", "-r")
    cluster.kubectl("-n", "kontain-system", "delete", "job", "kontain-uninstall")


def uninstallation_is_exact(cluster: Cluster) -> None:
    """When the pods are gone it leaves nothing: the configuration is what it was, byte for byte."""
    cluster.kubectl("delete", "deployment/web", "statefulset/store", "pod/hello", "--wait=true")
    daemonset, *commands = upgrade_commands("Uninstall")
    assert daemonset == "kubectl -n kontain-system delete daemonset kontain-node"
    cluster.shell("\n".join(commands))
    assert "KontainGone" in cluster.events()
    assert cluster.labels() == {}
    assert cluster.get("namespace", "kontain-system") == {}
    assert cluster.run("cat", CONFIG) == cluster.run("cat", f"{LAB}/before.toml")
    for path in ("/opt/kontain", "/etc/kontain", "/var/lib/kontain", "/var/lib/kontain-node"):
        assert cluster.call("ls", path).returncode != 0, path
    assert "kontain" not in cluster.run("containerd", "config", "dump")


def kill_installer(cluster: Cluster) -> None:
    """Kill all that the container works with, as the kernel would for want of memory."""
    for pod in cluster.get("pods", "-n", "kontain-system", "-lapp=kontain-node")["items"]:
        for one in pod["status"].get("containerStatuses", []):
            if one["name"] == "install" and "running" in one["state"]:
                identity = one["containerID"].rpartition("/")[2]
                kill = f"kill -9 $(cat /sys/fs/cgroup/pids{cluster.cgroup}/*/*/*/{identity}/cgroup.procs)"
                cluster.call("sh", "-c", kill)


def is_so(cluster: Cluster, command: str) -> bool:
    """Return whether a shell's command is good on the node."""
    return cluster.call("sh", "-c", command).returncode == 0


def gone(cluster: Cluster, app: str) -> bool:
    """Return whether an application has no pods any more."""
    return not cluster.pods(f"-lapp={app}")


def node_pods(cluster: Cluster) -> dict[str, str]:
    """Return the pods of the DaemonSet."""
    return cluster.pods("-n", "kontain-system", "-lapp=kontain-node")


def has(cluster: Cluster, version: str) -> bool:
    """Return whether the node is proven with a version."""
    return cluster.labels() == {"runtime": "kontain", "state": "ready", "version": version}


def ready(cluster: Cluster, app: str, number: int) -> bool:
    """Return whether so many pods of an application are Ready, and no others are there."""
    return list(cluster.pods(f"-lapp={app}").values()) == ["Ready"] * number


def restarts(cluster: Cluster) -> int:
    """Return how often containerd was restarted on purpose."""
    return len(cluster.run("cat", f"{LAB}/restarts").splitlines())


def starts(cluster: Cluster) -> dict[str, str]:
    """Return when the containers of the workloads began."""
    pods = [
        pod for app in ("web", "store") for pod in cluster.get("pods", f"-lapp={app}")["items"]
    ]
    return {
        f"{pod['metadata']['name']}": str(one["state"]["running"]["startedAt"])
        for pod in pods
        for one in pod["status"]["containerStatuses"]
    }


def test_programs_are_built_from_debian() -> None:
    """The cluster's programs are there, from the source package of the version that it names."""
    assert (binaries() / "kubelet").stat().st_size > 1 << 20
    assert NODE
