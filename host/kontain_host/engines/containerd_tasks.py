# SPDX-License-Identifier: Apache-2.0
"""Name the containers that a containerd runs by our runtime, and the pods that they belong to.

containerd's shim keeps a folder for each container that runs: its `runtime` is the program that the
shim calls, its `config.json` the container's, whose annotations are the CRI plugin's (containerd,
pkg/cri/annotations). Only root can write there.
"""

from __future__ import annotations

import contextlib
import json
from pathlib import Path
from typing import Dict, List

from .. import looks, processes
from ..host import Host

_CRI = "io.kubernetes.cri."


def containers(host: Host) -> List[str]:
    """Return a line for each pod, and for each container that belongs to none."""
    found = [
        _described(task)
        for state in looks.cgroups.STATES
        for task in host.path(f"{state}/{looks.cgroups.TASKS}").glob("*/*")
        if _runtime(task).startswith(f"{host.prefix}/")
    ]
    return sorted(set(found))


def _runtime(task: Path) -> str:
    """Return the program that a task's shim calls, "" where that is not told."""
    with contextlib.suppress(OSError, UnicodeDecodeError):
        return (task / "runtime").read_text(encoding="utf-8").strip()
    return ""


def _described(task: Path) -> str:
    notes: Dict[str, str] = {}
    with contextlib.suppress(OSError, ValueError):  # it has ended meanwhile
        notes = json.loads((task / "config.json").read_bytes()).get("annotations") or {}
    pod, namespace = notes.get(f"{_CRI}sandbox-name"), notes.get(f"{_CRI}sandbox-namespace")
    if pod and namespace:
        return processes.shown(f"pod {namespace}/{pod}")
    return processes.shown(f"containerd container {task.name}")
