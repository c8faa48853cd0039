# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in CRI-O: one drop-in file (1.18 and newer), and SIGHUP (1.26 and newer)."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import time
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Iterable, List, Optional, Set, Tuple

from .. import looks, processes
from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..journal import Entry, Journal
from ..looks import Key, quoted, unix_http
from ..report import Report
from .registration import Registration
from .toml_edit import Wish, merge
from .toml_file import document

ENGINE = looks.crio.CRIO
OWNER = ENGINE.name
DROP_IN = f"{looks.crio.FOLDER}/50-kontain.conf"

_SOCKET = "/var/run/crio/crio.sock"
_TABLE: Key = looks.crio.TABLE
_RELOADS = (1, 26)  # the first that reloads runtimes on SIGHUP: cri-o a3fb007fb1
_PATIENCE_S = 20.0
_POLL_S = 0.05


@dataclass(frozen=True)
class CrioDropIn(File):
    """A drop-in file of CRI-O, and the CRI-O that reads it."""

    kind: ClassVar[str] = "crio-drop-in"

    names: Tuple[str, ...] = ()

    def params(self) -> Dict[str, List[str]]:
        """Return the names of the runtimes."""
        return {"names": list(self.names)}

    def is_settled(self, host: Host) -> bool:
        """Return whether the CRI-O that runs, if one does and can reload, knows the runtimes."""
        pid = _running(host)
        return pid is None or not _reloads(host) or _known(host, self.names) == set(self.names)

    def settle(self, host: Host) -> None:
        """Let the CRI-O that runs load the runtimes."""
        _reload(host, self.names, present=True)

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take the file back, and let the CRI-O that runs forget the runtimes."""
        left = super().undo(host, journal, entry)
        names = entry.params["names"]
        if left is None and _running(host) and _reloads(host) and _known(host, names):
            _reload(host, names, present=False)
        return left


def plan(host: Host, names: List[str], wish: Registration, report: Report) -> List[Change]:
    """Return the change that registers the runtime under these names."""
    version = _version(host)
    if version is not None and version < ENGINE.oldest:
        raise HostError(
            "cannot register a runtime in CRI-O",
            f"its version is {version[0]}.{version[1]}, wanted {ENGINE.oldest[0]}.{ENGINE.oldest[1]} or newer, "
            "which read drop-in files",
            "upgrade CRI-O",
            HOST_REFUSED,
        )
    path = wish.program
    wanted = wish.free_names(names, _taken(host, names), "CRI-O")
    if _running(host) and not _reloads(host):
        report.warnings.append(
            "this CRI-O reads runtimes only when it starts: `systemctl restart crio`, "
            "during which containers keep running"
        )
    reason = f"CRI-O finds the runtimes {', '.join(wanted)}"
    return [CrioDropIn(DROP_IN, OWNER, reason, _content(wanted, path), 0o644, tuple(wanted))]


def _content(names: List[str], path: str) -> bytes:
    wishes = []
    for name in names:
        wishes += [
            Wish((*_TABLE, name, "runtime_path"), quoted(path)),
            Wish((*_TABLE, name, "runtime_type"), quoted("oci")),
            Wish((*_TABLE, name, "runtime_root"), quoted(f"/run/{name}")),
        ]
    comment = "# Made by Kontain; `kontain why` says more about this file.\n"
    return merge(comment, wishes).encode()


def _taken(host: Host, names: List[str]) -> Dict[str, Optional[str]]:
    """Return name → path of the runtimes in CRI-O's files, but for our own file."""
    files = looks.crio.files(host)
    taken: Dict[str, Optional[str]] = {}
    for file in files:
        table: Any = {} if file == DROP_IN else document(host, file).tree()
        for part in _TABLE:
            table = table.get(part) if isinstance(table, dict) else None
        for name in set(names) & set(table or {}):
            taken[name] = table[name].get("runtime_path")
    return taken


def _version(host: Host) -> Optional[Tuple[int, int]]:
    return looks.engines.version_in(ENGINE.version_text(host))


def _reloads(host: Host) -> bool:
    version = _version(host)
    return version is not None and version >= _RELOADS


def _running(host: Host) -> Optional[int]:
    for pid in processes.all_ids():
        program = (processes.program(pid) or "").replace(" (deleted)", "")
        if program.endswith("/crio") and processes.same_place(pid, "/", host.root):
            return pid
    return None


def _known(host: Host, names: Iterable[str]) -> Set[str]:
    """Return those of the names that the CRI-O that runs has as runtimes.

    It gives its configuration as TOML at /config of its socket (server/inspect.go).
    """
    text = unix_http.get(str(host.path(_SOCKET)), "/config").decode(errors="replace")
    heading = r"(?m)^\s*\[crio\.runtime\.runtimes\.\"?{}\"?\]"
    return {name for name in names if re.search(heading.format(re.escape(name)), text)}


def _reload(host: Host, names: Iterable[str], *, present: bool) -> None:
    pid = _running(host)
    if pid is None:
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGHUP)
    wanted = set(names) if present else set()
    deadline = time.monotonic() + _PATIENCE_S
    while (found := _known(host, names)) != wanted:
        if time.monotonic() > deadline:
            raise HostError(
                "CRI-O does not load its configuration",
                f"{_PATIENCE_S:.0f} s after SIGHUP it knows {sorted(found)}, wanted {sorted(wanted)}",
                "look at its log with `journalctl -u crio -n 20`",
            )
        time.sleep(_POLL_S)
