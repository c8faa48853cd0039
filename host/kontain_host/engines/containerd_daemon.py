# SPDX-License-Identifier: Apache-2.0
"""Find the containerd that runs, and see whether it has loaded a configuration."""

from __future__ import annotations

import contextlib
import time
from pathlib import Path
from typing import Iterator, List, Optional, Sequence, Tuple

from .. import looks, processes
from ..errors import HostError
from ..host import Host
from ..looks import Document, TomlError, unix_http

UNIT = "containerd.service"

_PATIENCE_S = 30.0
_POLL_S = 0.05


def find(host: Host, config: str) -> Optional[int]:
    """Return the containerd that reads the configuration at the host path `config`, or None."""
    for pid, named in _running():
        if processes.same_place(pid, named, str(host.path(config))):
            return pid
    return None


def find_config(host: Host) -> str:
    """Return the host path of the configuration of the containerd of the usual unit."""
    for pid, config in _running():
        if processes.same_place(pid, "/", host.root) and processes.unit(pid) == UNIT:
            return config
    return looks.containerd.CONFIG


def _running() -> Iterator[Tuple[int, str]]:
    """Yield process and configuration of each containerd; its shims and its ctr are others."""
    for pid in processes.all_ids():
        program = (processes.program(pid) or "").replace(" (deleted)", "")
        if program.endswith("/containerd"):
            yield pid, _config(processes.command_line(pid))


def is_loaded(host: Host, files: Sequence[str]) -> bool:
    """Return whether no containerd runs that started before one of its files was last replaced.

    The first of the files is its configuration, the others are imported.
    """
    pid = find(host, files[0])
    began = processes.start_time(pid) if pid else None
    return began is None or began > max(_changed(host, file) for file in files)


def restart(host: Host, files: Sequence[str]) -> None:
    """Restart containerd by its unit, and wait until the new one answers."""
    answer = host.run("systemctl", "restart", UNIT)
    deadline = time.monotonic() + _PATIENCE_S
    while answer.status == 0 and time.monotonic() < deadline:
        pid = find(host, files[0])
        if pid and is_loaded(host, files) and _answers(pid, files[0]):
            return
        time.sleep(_POLL_S)
    raise HostError(
        "containerd does not load its configuration",
        answer.stderr.strip() or f"it does not answer {_PATIENCE_S:.0f} s after a restart",
        f"look at its log with `journalctl -u {UNIT} -n 20`",
    )


def _config(arguments: List[str]) -> str:
    """Return the configuration that a command line names."""
    for name, value in zip(arguments[1:], [*arguments[2:], ""]):
        option, has_value, rest = name.partition("=")
        if option in ("-c", "--config", "-config"):
            return rest if has_value else value
    return looks.containerd.CONFIG


def _changed(host: Host, file: str) -> float:
    """Return when a file was last replaced (seconds since 1970), 0 where there is none.

    The time of the inode, for an undo restores the time of the content.
    """
    try:
        return host.path(file).stat().st_ctime
    except FileNotFoundError:
        return 0.0


def _answers(pid: int, config: str) -> bool:
    """Return whether a process listens at the socket of a containerd."""
    with contextlib.suppress(OSError, TomlError, UnicodeDecodeError):
        own = Document(Path(f"/proc/{pid}/root{config}").read_bytes().decode())
        place = own.value(("grpc", "address")) or looks.containerd.SOCKET
        return unix_http.listens(f"/proc/{pid}/root{place}")
    return False
