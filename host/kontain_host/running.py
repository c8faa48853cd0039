# SPDX-License-Identifier: Apache-2.0
"""The processes that run at this moment by the programs of our releases."""

from __future__ import annotations

from typing import List

from . import processes
from .host import Host


def payloads(host: Host) -> List[str]:
    """Return a line for each process that executes a program of any installed version."""
    versions = host.path(f"{host.prefix}/versions")
    names = sorted(item.name for item in versions.iterdir()) if versions.is_dir() else []
    return [
        f"process {pid} ({processes.shown(processes.program(pid) or '')})"
        for name in names
        for pid in processes_of(host, f"{host.prefix}/versions/{name}")
    ]


def processes_of(host: Host, tree: str) -> List[int]:
    """Return the processes that execute a program of the release at the host path `tree`.

    Compared by device and inode: inside a container the same file has another path.
    """
    programs = {processes.file_id(str(place)) for place in (host.path(tree) / "bin").glob("*")}
    programs.discard(None)
    return [pid for pid in processes.all_ids() if processes.program_id(pid) in programs]
