# SPDX-License-Identifier: Apache-2.0
"""Pods where the kubelet's driver of control groups is systemd: containerd, runc and krun of one host.

The tests are one story, in their order.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tools.vm.suite import GO, KRUN_PARTS, PATIENCE, ROOT, copy, send

THERE = "/root/kontain-sources"
KONTAIN = "/opt/kontain/bin/kontain"
CONFIG = "/etc/containerd/config.toml"
# As `kubeadm` wants it, with an image for the sandbox that needs no registry.
KUBEADM = """\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "localhost/krun-pause:1"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
      runtime_type = "io.containerd.runc.v2"
      [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
        SystemdCgroup = true
"""


@pytest.fixture(scope="module", autouse=True)
def _node(host: Host, tmp_path_factory: pytest.TempPathFactory) -> None:
    """Make the host a node: containerd as kubeadm wants it, then Kontain from its bundle."""
    folder = tmp_path_factory.mktemp("node")
    parts = (*KRUN_PARTS, "runenv/kontain_runenv", "molecule/pods_on_svm/pod.py")
    send(host, folder / "sources.tar.gz", THERE, "-C", str(ROOT), *parts)
    (folder / "config.toml").write_text(KUBEADM)
    host.check_output("mkdir -p /etc/containerd")
    copy(host, folder / "config.toml", CONFIG)
    host.check_output("systemctl restart containerd.service")
    (bundle,) = (ROOT / "build").glob("kontain-*-x86_64.tar.gz")
    copy(host, bundle, f"/root/{bundle.name}")
    unpack = f"tar -C /root -xzf /root/{bundle.name}"
    top = Path(bundle.name.replace("-x86_64.tar.gz", "")).name
    host.check_output(f"{unpack} && mv /root/{top} /root/kontain")
    command = "/root/kontain/release/bin/kontain install --unsigned"
    done = host.run(f"{command} /root/{bundle.name} --engines containerd --restart")
    assert done.rc == 0, done.stdout + done.stderr


def pod(host: Host, *words: str) -> dict[str, Any]:
    """Run a pod on the node, and return what is seen of it."""
    given = {"PYTHONPATH": f"{THERE}:{THERE}/runenv", "KRUN_TEST_PATIENCE": PATIENCE, **GO}
    env = " ".join(f"{name}={value}" for name, value in given.items())
    done = host.run(
        f"cd {THERE} && env {env} python3 molecule/pods_on_svm/pod.py {' '.join(words)}"
    )
    assert done.rc == 0, done.stdout + done.stderr
    return dict(json.loads(done.stdout.splitlines()[-1]))


def verdict(host: Host) -> dict[str, Any]:
    """Return what `kontain verify` says of containerd's registration."""
    results = json.loads(host.run(f"{KONTAIN} verify --json").stdout)["results"]
    (found,) = [one for one in results if one["check"] == "registered-containerd"]
    return dict(found)


def test_the_driver_is_registered(host: Host) -> None:
    """The runtime kontain gets the driver of the default runtime, in what containerd loads."""
    kontain = host.check_output("containerd config dump").partition("runtimes.kontain]")[2]
    assert "SystemdCgroup = true" in kontain.partition("runtimes.runc]")[0]


@pytest.fixture(scope="module")
def native(host: Host) -> dict[str, Any]:
    """Return what is seen of a pod under the node's default runtime."""
    return pod(host, "runc", "native")


@pytest.mark.parametrize("backend", ["crun", "runc"])
def test_a_pod_is_in_its_slice_as_runc_has_it(
    host: Host, native: dict[str, Any], backend: str
) -> None:
    """Sandbox and container are scopes of the pod's slice, with the limits and the OOM kill of runc's."""
    host.check_output(f"""echo '{{"backend": "{backend}"}}' >/etc/kontain/krun.json""")
    found = pod(host, "kontain", backend)
    scope = f"/kubepods.slice/kubepods-pod{backend}.slice/cri-containerd-ID.scope"
    assert (found["sandbox"], found["container"]) == (scope, scope), found
    assert found["limits"]["memory.max"] == str(64 << 20), found
    assert found["slice"] == {"memory.max": str(96 << 20), "pids.max": "200"}, found
    assert found["hungry"] == [137, "OOMKilled"], found
    assert json.loads(json.dumps(native).replace("podnative", f"pod{backend}")) == found, native


def test_verify_sees_pods_in_their_slices(host: Host) -> None:
    """While a pod runs in its slice, `kontain verify` is content."""
    pod(host, "kontain", "good", "--leave")
    assert verdict(host)["status"] == "pass", verdict(host)


def test_verify_names_a_pod_outside(host: Host) -> None:
    """With another driver than the default runtime's, it warns, with the group that the pod is in."""
    host.check_output(
        f"sed -i '/runtimes.kontain/,$s/SystemdCgroup = true/SystemdCgroup = false/' {CONFIG}"
    )
    host.check_output("systemctl restart containerd.service")
    pod(host, "kontain", "astray", "--leave")
    found = verdict(host)
    assert found["status"] == "warn", found
    assert "kubepods-podastray.slice:cri-containerd:" in found["found"]
    assert len(found["details"]["processes"]) == 2, found
