# SPDX-License-Identifier: Apache-2.0
"""Run a pod on this node by containerd's CRI, as a kubelet with the driver systemd would.

    python3 pod.py RUNTIME NAME [--leave]

The kubelet's part is the slice of the pod, with its limits. It prints, as JSON, where the processes
of the sandbox and of a container are, what limits are there, and how a container ends that takes too
much memory. `--leave` leaves the pod running, without the last.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from tests.krun.containerd import Containerd
from tests.krun.pods import Options, Pod

TASKS = Path("/run/containerd/io.containerd.runtime.v2.task/k8s.io")
SOCKET = "/run/containerd/containerd.sock"
UNITS = Path("/run/systemd/system")
POD_MIB, CONTAINER_MIB = 96, 64
SLICE = f"[Slice]\nMemoryMax={POD_MIB}M\nTasksMax=200\n"
HUNGRY = ["/bin/sh", "-c", "head -c 300m /dev/zero | tail -c 200m >/dev/null"]


class Here:
    """This machine, which nothing separates from its processes."""

    @staticmethod
    def command(*words: str) -> list[str]:
        """Return the command that runs WORDS."""
        return list(words)


class Node(Containerd):
    """The containerd of this node, which runs already."""

    def __init__(self, folder: Path) -> None:
        """Give it the images, where it has none yet."""
        self.folder = folder
        self.host = Here()  # type: ignore[assignment]  # it has what is asked for
        self.version = "1."
        if not folder.exists():
            folder.mkdir()
            (folder / "ctr.sock").symlink_to(SOCKET)
            self._load()


def make_slice(name: str) -> str:
    """Make the slice of a pod; return its group."""
    unit = f"kubepods-pod{name}.slice"
    UNITS.mkdir(parents=True, exist_ok=True)
    (UNITS / unit).write_text(SLICE)
    subprocess.run(["systemctl", "daemon-reload"], check=True)
    subprocess.run(["systemctl", "start", unit], check=True)
    return f"/kubepods.slice/{unit}"


def group(identity: str) -> str:
    """Return the control group of a container, in which crun makes another for the processes."""
    pid = (TASKS / identity / "init.pid").read_text()
    path = Path(f"/proc/{pid}/cgroup").read_text().strip().partition("::")[2]
    return path.removesuffix("/container")


def limits(where: str) -> dict[str, str]:
    """Return the limits of a control group."""
    folder = Path(f"/sys/fs/cgroup{where}")
    return {name: (folder / name).read_text().strip() for name in ("memory.max", "pids.max")}


def main(runtime: str, name: str, *flags: str) -> None:
    """Run the command line."""
    slice_group = make_slice(name)
    pod = Pod(Node(Path("/root/pods")), runtime, name, slice_group)
    pod.start()
    small = Options(resources=[(4, CONTAINER_MIB << 20)])
    idle = pod.create("idle", ["/bin/sleep", "100000"], small)
    pod.containerd.cri("StartContainer", (1, idle))
    found: dict[str, object] = {
        "slice": limits(slice_group),
        "sandbox": group(pod.sandbox).replace(pod.sandbox, "ID"),
        "container": group(idle).replace(idle, "ID"),
        "limits": limits(group(idle)),
    }
    if "--leave" not in flags:
        hungry = pod.run("hungry", HUNGRY, small)
        found["hungry"] = [hungry.status, hungry.reason]
        pod.stop()
    print(json.dumps(found))


main(*sys.argv[1:])
