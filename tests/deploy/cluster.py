# SPDX-License-Identifier: Apache-2.0
"""A cluster of one node in a copy of this machine: Debian's Kubernetes, containerd and CNI plugins.

The copy has its own network, so its addresses are fixed. kube-proxy makes the addresses of
Services, that of the API server included. A substitute of systemd keeps containerd running.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Iterator, Optional

from tests.collection.sandbox import NETWORK, Sandbox
from tests.deploy.images import PAUSE, write_images
from tests.krun.support import PATIENCE

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
CACHE = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "kontain" / "kubernetes"
LAB = "/var/lib/kontain-lab"
NODE = "node1"
WAIT_S = 120

SETUP = r"""
set -eu
cd $LAB
ip link set lo up
ip link add br0 type bridge
ip addr add 10.99.0.1/24 dev br0
ip link set br0 up
ip route add default via 10.99.0.254 dev br0
hostname node1
rm -rf /etc/cni/net.d /etc/containerd
mkdir -p /etc/cni/net.d /etc/containerd /run/netns pki static kubelet sysctl /var/log/pods
cp cni.conflist /etc/cni/net.d/10-bridge.conflist
cp containerd.toml /etc/containerd/config.toml
printf '127.0.0.1 localhost\n10.99.0.1 node1\n' >/etc/hosts
cp systemctl /usr/local/sbin/systemctl
# kubelet wants these settings of the kernel, and would change the machine's.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
    kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
    file=sysctl/$(echo "${setting%=*}" | tr / _)
    echo "${setting#*=}" >"$file"
    mount --bind "$file" "/proc/sys/${setting%=*}"
done
cd pki
openssl genrsa -out sa.key 2048 2>/dev/null
openssl rsa -in sa.key -pubout -out sa.pub 2>/dev/null
openssl req -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 365 -subj /CN=ca 2>/dev/null
openssl req -newkey rsa:2048 -nodes -keyout api.key -out api.csr -subj /CN=kube-apiserver 2>/dev/null
printf 'subjectAltName=IP:10.99.0.1,IP:10.0.0.1,IP:127.0.0.1,DNS:kubernetes.default' >ext
openssl x509 -req -in api.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 365 -out api.crt \
    -extfile ext 2>/dev/null
"""

# `systemctl restart containerd.service`: the loop below starts it anew, outside of any container.
SYSTEMCTL = """\
#!/bin/sh
case "$*" in
"restart containerd.service")
    echo restart >>/var/lib/kontain-lab/restarts
    before=$(cat /run/containerd.pid)
    kill "$before"
    while kill -0 "$before" 2>/dev/null; do sleep 0.05; done
    ;;
*) exit 4 ;;
esac
"""
KEEP_CONTAINERD = """
while :; do
    containerd >>/var/lib/kontain-lab/containerd.log 2>&1 &
    echo $! >/run/containerd.pid.new && mv /run/containerd.pid.new /run/containerd.pid
    wait
done
"""
CONTAINERD = f"""\
version = 2 # somebody's
[plugins."io.containerd.grpc.v1.cri"]
  restrict_oom_score_adj = true
  sandbox_image = "{PAUSE}"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
"""
NET = {
    "cniVersion": "0.4.0",
    "name": "bridge",
    "plugins": [
        {
            "type": "bridge",
            "bridge": "cni0",
            "isGateway": True,
            "ipam": {
                "type": "host-local",
                "dataDir": "/run/cni-ipam",
                "ranges": [[{"subnet": "10.88.0.0/16"}]],
                "routes": [{"dst": "0.0.0.0/0"}],
            },
        }
    ],
}
KUBELET = """\
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
cgroupDriver: cgroupfs
cgroupRoot: {cgroup}
failSwapOn: false
protectKernelDefaults: true
makeIPTablesUtilChains: false
authentication: {{anonymous: {{enabled: true}}, webhook: {{enabled: false}}}}
authorization: {{mode: AlwaysAllow}}
address: 10.99.0.1
nodeStatusUpdateFrequency: 2s
evictionHard: {{memory.available: 1Mi, nodefs.available: 0%, imagefs.available: 0%}}
imageGCHighThresholdPercent: 100
staticPodPath: {lab}/static
registerWithTaints: []
"""
TOKENS = """\
lab-admin-token,admin,1,"system:masters"
lab-node-token,system:node:node1,2,"system:nodes"
"""
KUBECONFIG = """\
apiVersion: v1
kind: Config
clusters: [{{name: c, cluster: {{server: "https://10.99.0.1", certificate-authority: {lab}/pki/ca.crt}}}}]
users: [{{name: u, user: {{token: {token}}}}}]
contexts: [{{name: x, context: {{cluster: c, user: u}}}}]
current-context: x
"""


def binaries() -> Path:
    """Return the folder with the programs of Kubernetes, built where they are not there yet."""
    built = subprocess.run([HERE / "kubernetes.sh", CACHE], stdout=subprocess.PIPE, check=True)
    return Path(built.stdout.decode().strip())


class Cluster:
    """A cluster until it is closed: its API server answers, and its node is Ready."""

    def __init__(self, folder: Path, programs: Path) -> None:
        """Start it, its files in FOLDER."""
        self.folder = folder
        self.cgroup = f"/kontain-lab-{os.getpid()}"
        own = ("/var/lib/kubelet", "/var/lib/etcd", LAB)
        self.sandbox = Sandbox(own, NETWORK)
        self._programs = programs
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        try:
            self._start()
        except BaseException:
            self.close()
            raise

    def _start(self) -> None:
        self._make_cgroups()
        files = {
            "containerd.toml": CONTAINERD,
            "cni.conflist": json.dumps(NET),
            "systemctl": SYSTEMCTL,
            "kubelet.yaml": KUBELET.format(cgroup=self.cgroup, lab=LAB),
            "tokens.csv": TOKENS,
            "admin.conf": KUBECONFIG.format(lab=LAB, token="lab-admin-token"),  # noqa: S106
            "node.conf": KUBECONFIG.format(lab=LAB, token="lab-node-token"),  # noqa: S106
        }
        for name, text in files.items():
            self.write(f"{LAB}/{name}", text)
        self.run("chmod", "755", f"{LAB}/systemctl")
        self.run("env", f"LAB={LAB}", "bash", "-c", SETUP)
        self.write(f"{LAB}/before.toml", CONTAINERD)
        self.start("containerd", "sh", "-c", KEEP_CONTAINERD)
        self.wait("containerd answers", lambda: self.call("ctr", "version").returncode == 0)
        for image in write_images(self.folder):
            self.load(image)
        self._start_control_plane()
        self.start_kubelet()
        self.wait("the node is Ready", lambda: self.condition("Ready") == "True")

    def _start_control_plane(self) -> None:
        pki = f"{LAB}/pki"
        self.start(
            "etcd", str(self._programs / "etcd"), "--data-dir=/var/lib/etcd",
            "--unsafe-no-fsync=true",
        )  # fmt: skip
        self.start(
            "apiserver", str(self._programs / "kube-apiserver"),
            "--etcd-servers=http://127.0.0.1:2379", "--service-cluster-ip-range=10.0.0.0/24",
            "--secure-port=443", "--advertise-address=10.99.0.1",
            f"--tls-cert-file={pki}/api.crt", f"--tls-private-key-file={pki}/api.key",
            f"--service-account-key-file={pki}/sa.pub",
            f"--service-account-signing-key-file={pki}/sa.key",
            "--service-account-issuer=https://kubernetes.default.svc",
            f"--token-auth-file={LAB}/tokens.csv", "--authorization-mode=Node,RBAC",
            "--allow-privileged=true", "--kubelet-preferred-address-types=InternalIP",
        )  # fmt: skip
        self.wait("the API server is ready", lambda: "ok" in self.kubectl("get", "--raw=/readyz"))
        self.start(
            "kcm", str(self._programs / "kube-controller-manager"),
            f"--kubeconfig={LAB}/admin.conf", f"--root-ca-file={pki}/ca.crt",
            f"--service-account-private-key-file={pki}/sa.key",
            "--use-service-account-credentials=true", "--leader-elect=false",
        )  # fmt: skip
        self.start(
            "scheduler", str(self._programs / "kube-scheduler"),
            f"--kubeconfig={LAB}/admin.conf", "--leader-elect=false",
        )  # fmt: skip
        # All is masqueraded, for pods of one bridge would answer each other past the address asked;
        # limits of connections are the machine's.
        self.start(
            "proxy", str(self._programs / "kube-proxy"), f"--kubeconfig={LAB}/admin.conf",
            "--proxy-mode=iptables", "--masquerade-all", f"--hostname-override={NODE}",
            "--cluster-cidr=10.88.0.0/16", "--conntrack-max-per-core=0",
            "--conntrack-tcp-timeout-established=0", "--conntrack-tcp-timeout-close-wait=0",
        )  # fmt: skip

    def start_kubelet(self) -> None:
        """Start the kubelet."""
        self.start(
            "kubelet", str(self._programs / "kubelet"), f"--config={LAB}/kubelet.yaml",
            f"--kubeconfig={LAB}/node.conf", "--container-runtime=remote",
            "--container-runtime-endpoint=unix:///run/containerd/containerd.sock",
            f"--hostname-override={NODE}", "--node-ip=10.99.0.1", "--oom-score-adj=0", "--v=2",
        )  # fmt: skip

    def stop(self, name: str) -> None:
        """End a program that was started: the child of the nsenter that waits for it."""
        process = self._processes.pop(name)
        children = Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()
        for child in children:
            os.kill(int(child), signal.SIGTERM)
        process.wait()

    def start(self, name: str, *command: str) -> None:
        """Start a program on the node, its log next to the others'."""
        with (self.folder / f"{name}.log").open("ab") as log:
            self._processes[name] = subprocess.Popen(
                self.sandbox.command(*command), stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"},
            )  # fmt: skip

    def load(self, image: Path) -> None:
        """Give the node an image."""
        with image.open("rb") as file:
            self.call("ctr", "--namespace=k8s.io", "images", "import", "-", stdin=file, check=True)

    def call(
        self, *words: str, check: bool = False, **more: Any
    ) -> subprocess.CompletedProcess[str]:
        """Run a command on the node."""
        done = self.sandbox.run(*words, **more)
        assert not check or done.returncode == 0, f"{words}\n{done.stdout}{done.stderr}"
        return done

    def run(self, *words: str) -> str:
        """Run a command on the node that must be good, and return what it said."""
        return self.call(*words, check=True).stdout

    def kubectl(self, *words: str, given: Optional[str] = None) -> str:
        """Return what kubectl prints; its errors are the caller's to see in it."""
        done = self.call(
            str(self._programs / "kubectl"), f"--kubeconfig={LAB}/admin.conf", *words, input=given,
        )  # fmt: skip
        return done.stdout + done.stderr

    def shell(self, command: str) -> None:
        """Run commands of a page in the checkout, as an operator of the cluster; each must be good."""
        path = f"{self._programs}:/usr/bin:/bin"
        script = f"set -e\ncd {ROOT}\nexport PATH={path} KUBECONFIG={LAB}/admin.conf\n{command}"
        self.run("sh", "-c", script)

    def apply(self, manifest: str) -> None:
        """Apply a manifest."""
        said = self.kubectl("apply", "-f", "-", given=manifest)
        assert "rror" not in said, said

    def get(self, *words: str) -> dict[str, Any]:
        """Return an object or a list of them."""
        said = self.kubectl("get", "-o", "json", *words)
        try:
            found: dict[str, Any] = json.loads(said)
        except ValueError:
            return {}
        return found

    def condition(self, kind: str) -> str:
        """Return a condition of the node."""
        found = self.get("node", NODE).get("status", {}).get("conditions", [])
        return next((str(one["status"]) for one in found if one["type"] == kind), "")

    def labels(self) -> dict[str, str]:
        """Return the node's labels of Kontain's."""
        found = self.get("node", NODE).get("metadata", {}).get("labels", {})
        return {key[12:]: value for key, value in found.items() if key.startswith("kontain.app/")}

    def events(self) -> dict[str, str]:
        """Return reason and words of the node's events of Kontain's."""
        items = self.get("events", "-n", "default").get("items", [])
        return {
            one["reason"]: one["message"] for one in items if one["reason"].startswith("Kontain")
        }

    def pods(self, *words: str) -> dict[str, str]:
        """Return name and phase of pods; Ready where they are."""
        found = {}
        for pod in self.get("pods", *words).get("items", []):
            conditions = {
                one["type"]: one["status"] for one in pod["status"].get("conditions", [])
            }
            ready = conditions.get("Ready") == "True"
            found[pod["metadata"]["name"]] = "Ready" if ready else pod["status"]["phase"]
        return found

    def write(self, path: str, text: str) -> None:
        """Write a file of the node."""
        self.call(
            "sh", "-c", 'mkdir -p "$(dirname "$0")"; cat >"$0"', path, input=text, check=True
        )

    def wait(self, what: str, is_so: Callable[[], object], patience: float = WAIT_S) -> None:
        """Wait until something is so."""
        end = time.monotonic() + patience * PATIENCE
        while not is_so():
            dead = [name for name, one in self._processes.items() if one.poll() is not None]
            assert not dead, f"{dead} ended while waiting: {what}\n{self.logs(*dead)}"
            assert time.monotonic() < end, f"waited in vain: {what}\n{self.state()}"
            time.sleep(0.5)

    def logs(self, *names: str) -> str:
        """Return the ends of logs."""
        return "".join((self.folder / f"{name}.log").read_text()[-3000:] for name in names)

    def state(self) -> str:
        """Return what explains a failure."""
        seen = self.kubectl("get", "pods,nodes", "-A", "-o", "wide")
        seen += self.kubectl("describe", "pods", "-n", "kontain-system")[-6000:]
        for name in ("install", "report"):
            seen += self.kubectl(
                "logs", "-n", "kontain-system", "-l", "app=kontain-node", "-c", name, "--tail=60"
            )
        return seen + self.logs("kubelet")[-1500:] + str(self.events())

    def _make_cgroups(self) -> None:
        for controller in Path("/sys/fs/cgroup").iterdir():
            if (controller / "cgroup.procs").exists():
                (controller / self.cgroup.strip("/")).mkdir(exist_ok=True)
        sets = Path("/sys/fs/cgroup/cpuset")
        for name in ("cpuset.cpus", "cpuset.mems"):
            file = sets / self.cgroup.strip("/") / name
            if file.exists():
                file.write_text((sets / name).read_text())

    def close(self) -> None:
        """End all of it."""
        self.sandbox.close()
        for process in self._processes.values():
            process.wait()
        for controller in Path("/sys/fs/cgroup").iterdir():
            self._remove_groups(controller / self.cgroup.strip("/"))

    @staticmethod
    def _remove_groups(top: Path) -> None:
        groups = [Path(folder) for folder, _, _ in os.walk(top, topdown=False)]
        for group in groups:
            with contextlib.suppress(OSError):
                group.rmdir()


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    """Give a cluster."""
    cluster = Cluster(folder, binaries())
    try:
        yield cluster
    finally:
        cluster.close()
