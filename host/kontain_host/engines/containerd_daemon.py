# SPDX-License-Identifier: Apache-2.0
"""Find the containerd that runs, and see whether it has loaded a configuration."""

from __future__ import annotations

import contextlib
import os
import socket
import time
from typing import List, Optional, Sequence

from .. import processes
from ..errors import HostError
from ..host import Host

DEFAULT_CONFIG = "/etc/containerd/config.toml"
UNIT = "containerd.service"

_PATIENCE_S = 30.0
_POLL_S = 0.05
_SOCKET = "/run/containerd/containerd.sock"


def find(host: Host) -> Optional[int]:
    """Return the process of the host's own containerd, or None; not that of a dockerd."""
    for pid in processes.all_ids():
        arguments = processes.command_line(pid)
        program = (processes.program(pid) or "").replace(" (deleted)", "")
        if not program.endswith("/containerd") or not arguments:
            continue
        if processes.same_place(pid, "/", host.root) and _config(arguments) is not None:
            return pid
    return None


def find_config(host: Host) -> str:
    """Return the host path of the configuration of the containerd that runs, or the usual one."""
    pid = find(host)
    return (_config(processes.command_line(pid)) if pid else None) or DEFAULT_CONFIG


def is_loaded(host: Host, files: Sequence[str]) -> bool:
    """Return whether no containerd runs that started before one of its files was last replaced."""
    pid = find(host)
    began = processes.start_time(pid) if pid else None
    return began is None or began > max(_changed(host, file) for file in files)


def restart(host: Host, files: Sequence[str]) -> None:
    """Restart containerd by its unit, and wait until the new one answers."""
    answer = host.run(["systemctl", "restart", UNIT])
    deadline = time.monotonic() + _PATIENCE_S
    while answer.returncode == 0 and time.monotonic() < deadline:
        if find(host) and is_loaded(host, files) and _answers(host):
            return
        time.sleep(_POLL_S)
    raise HostError(
        "containerd does not load its configuration",
        answer.stderr.strip() or f"it does not answer {_PATIENCE_S:.0f} s after a restart",
        f"look at its log with `journalctl -u {UNIT} -n 20`",
    )


def _config(arguments: List[str]) -> Optional[str]:
    """Return the configuration that a command line names; None for one of dockerd's own.

    dockerd starts its own containerd with a configuration below its exec-root.
    """
    for name, value in zip(arguments[1:], [*arguments[2:], ""]):
        option, has_value, rest = name.partition("=")
        if option in ("-c", "--config", "-config"):
            config = rest if has_value else value
            return None if "/docker/" in config else config
    return DEFAULT_CONFIG


def _changed(host: Host, file: str) -> float:
    """Return when a file was last replaced (seconds since 1970), 0 where there is none.

    The time of the inode, for an undo restores the time of the content.
    """
    try:
        return host.path(file).stat().st_ctime
    except FileNotFoundError:
        return 0.0


def _answers(host: Host) -> bool:
    with contextlib.suppress(OSError), socket.socket(socket.AF_UNIX) as connection:
        connection.connect(os.fspath(host.path(_SOCKET)))
        return True
    return False
