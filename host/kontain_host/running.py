# SPDX-License-Identifier: Apache-2.0
"""What runs at this moment by our programs: processes, and the containers of each engine."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Dict, List, Optional, Set

from . import processes
from .engines import containerd_tasks, docker
from .host import Host
from .journal import Journal

# Where podman looks for it: containers.conf(5), conmon_path.
_CONMONS = (
    *("/usr/libexec/podman/conmon", "/usr/local/libexec/podman/conmon"),
    *("/usr/lib/podman/conmon", "/usr/local/lib/podman/conmon", "/usr/libexec/crio/conmon"),
    *("/usr/bin/conmon", "/usr/sbin/conmon", "/usr/local/bin/conmon", "/usr/local/sbin/conmon"),
)


def containers(host: Host, journal: Journal) -> List[str]:
    """Return a line for each container that runs by our runtime, naming engine and container."""
    found = [f"podman container {name}" for name in _conmon_containers(host)]
    found += containerd_tasks.containers(host)
    for entry in journal.active():
        if entry.kind == docker.DockerRuntimes.kind:
            names = docker.containers(host, entry.params["runtimes"], entry.path)
            found += [f"docker container {name}" for name in names]
    return sorted(set(found))


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


def _conmon_containers(host: Host) -> List[str]:
    """Return the names of the containers whose conmon was told to use a runtime of our prefix.

    conmon stays with each running container of podman, also of a user's; its command line has
    the runtime after -r, the name after -n and the id after -c (conmon.8). That path may mean
    another host's file: conmon may live in another mount namespace.
    """
    names = []
    programs = {processes.file_id(str(host.path(path))) for path in _CONMONS}
    for pid in processes.all_ids():
        if not _is_conmon(pid, programs):
            continue
        arguments = processes.command_line(pid)
        options: Dict[str, str] = dict(zip(arguments[1:], arguments[2:]))
        runtime = options.get("-r", options.get("--runtime", ""))
        ours = runtime.startswith(f"{host.prefix}/")
        if ours and processes.same_place(pid, runtime, str(host.path(runtime))):
            name = options.get("-n", options.get("-c", f"of conmon {pid}"))
            names.append(processes.shown(name))
    return names


def _is_conmon(pid: int, programs: Set[Optional[processes.FileId]]) -> bool:
    """Return whether a process executes one of the host's `programs`, or one that was upgraded since.

    Its name is its user's to choose, as are its arguments. Which file it executes is not; and only
    root can have removed a file of root's.
    """
    found = processes.program_info(pid)
    if found is None:
        return False
    name = PurePosixPath(processes.program(pid) or "").name
    is_upgraded = name == "conmon (deleted)" and found.st_nlink == 0 and found.st_uid == 0
    return (found.st_dev, found.st_ino) in programs or is_upgraded
