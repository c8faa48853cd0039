# SPDX-License-Identifier: Apache-2.0
"""The containers of podman that run now, root's and users', by the conmon that stays with each."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Dict, List, Optional, Set

from .. import processes
from ..host import Host

# Where podman looks for it: containers.conf(5), conmon_path.
_CONMONS = (
    *("/usr/libexec/podman/conmon", "/usr/local/libexec/podman/conmon"),
    *("/usr/lib/podman/conmon", "/usr/local/lib/podman/conmon", "/usr/libexec/crio/conmon"),
    *("/usr/bin/conmon", "/usr/sbin/conmon", "/usr/local/bin/conmon", "/usr/local/sbin/conmon"),
)


def containers(host: Host) -> List[str]:
    """Return the names of the containers whose conmon uses a runtime of our prefix.

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
