# SPDX-License-Identifier: Apache-2.0
"""Whether the containers that a containerd runs are in the control groups that it asked for.

A pod has its limits from the group that the kubelet makes for it, and containerd asks a runtime for
a group within that. With the kubelet's driver systemd it asks for `SLICE:PREFIX:NAME`, the unit
PREFIX-NAME.scope in that slice, and with its driver cgroupfs for a path (containerd,
internal/cri/server, getCgroupsPath). The default runtime is set up for the driver. A runtime with
another SystemdCgroup makes a group elsewhere: runc a folder of the name with colons, crun a unit below
system.slice; the pod's limits then do not hold for the container.
"""

from __future__ import annotations

import json
from typing import Iterator, List, NamedTuple

from ..host import Host

STATES = (
    "/run/containerd",
    "/run/k3s/containerd",
    "/run/k0s/containerd",
    "/var/snap/microk8s/common/run/containerd",
)
"""The folders in which a containerd, or that of a distribution of Kubernetes, keeps its state."""
TASKS = "io.containerd.runtime.v2.task"
"""The folder in these with a folder for each container, NAMESPACE/ID, which is its bundle."""


class Misplaced(NamedTuple):
    """A container in another control group than it was to be in."""

    pid: str
    wanted: str
    found: str


def misplaced(host: Host) -> List[Misplaced]:
    """Return the containers whose first process is not in the group that containerd asked for."""
    return [one for one in _containers(host) if one.wanted not in f"{one.found}/"]


def _containers(host: Host) -> Iterator[Misplaced]:
    for state in STATES:
        for namespace in host.names(f"{state}/{TASKS}"):
            folder = f"{state}/{TASKS}/{namespace}"
            for name in host.names(folder):
                pid = host.read_or(f"{folder}/{name}/init.pid")
                wanted = _wanted(host.read_or(f"{folder}/{name}/config.json"))
                found = _group(host.read_or(f"/proc/{pid}/cgroup")) if pid.isdigit() else ""
                if wanted and found:  # else it has ended meanwhile
                    yield Misplaced(pid, wanted, found)


def _wanted(config: str) -> str:
    """Return how the path of the group contains the one that a config.json asks for, "" if none."""
    try:
        asked = json.loads(config)["linux"]["cgroupsPath"]
    except (ValueError, KeyError, TypeError):
        return ""
    parts = str(asked).split(":")
    if len(parts) == 3:  # noqa: PLR2004  slice, prefix, name
        return f"/{parts[0]}/{parts[1]}-{parts[2]}.scope/"
    return f"/{str(asked).strip('/')}/" if asked else ""


def _group(text: str) -> str:
    """Return the group whose memory limit holds, from the lines of a /proc/PID/cgroup."""
    groups = {}
    for line in text.splitlines():
        _, controllers, path = line.split(":", 2)
        groups.update(dict.fromkeys(controllers.split(","), path))
    return str(groups.get("memory", groups.get("", "")))
