# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in containerd's CRI plugin, for Kubernetes.

containerd 1.x has one file, into which the tables are merged: its `imports` replace whole plugins
(mergeConfig, 1.3 to 1.7.20). containerd 2.x merges imports deeply, so it gets a drop-in file. It
reads its configuration only when it starts, and 2.2.2 ends on SIGHUP (containerd issue 13285).
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Optional, Tuple

from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..journal import Entry, Journal
from ..report import Report
from . import containerd_daemon, rancher
from .registration import Registration
from .toml_edit import Wish, merge
from .toml_file import TomlMerge, document
from .toml_text import Document, Key, quoted

OWNER = "containerd"
DROP_IN = "/etc/containerd/conf.d/kontain.toml"

_GLOB = "/etc/containerd/conf.d/*.toml"
_IMPORTS = Wish(("imports",), quoted(_GLOB), is_item=True)
_COMMENT = "# Made by Kontain; `kontain why` says more about this file.\n"
_STOCK_RUNTIME = "runc"
_SHIM = "io.containerd.runc.v2"
_CRI: Dict[int, str] = {  # the plugin that has the runtimes, by the schema of the file
    1: "cri",
    2: "io.containerd.grpc.v1.cri",
    3: "io.containerd.cri.v1.runtime",
    4: "io.containerd.cri.v1.runtime",
}
_NAMES_OF_CRI = ("cri", *sorted(set(_CRI.values()) - {"cri"}))
_DEEP_IMPORTS = (2, 0)  # the first version whose imports do not replace whole plugins


def is_present(host: Host) -> bool:
    """Return whether this host has containerd, of its own or inside k3s or RKE2."""
    return host.which("containerd") is not None or bool(rancher.present(host))


@dataclass(frozen=True)
class ContainerdMerge(TomlMerge):
    """Values in containerd's own file; a running containerd learns of them when it starts."""

    kind: ClassVar[str] = "containerd-toml"

    restart: bool = False

    def params(self) -> Dict[str, Any]:
        """Return the wishes, and whether containerd may be restarted."""
        return {**super().params(), "restart": self.restart}

    def is_settled(self, host: Host) -> bool:
        """Return whether containerd started after the last change, or may not be restarted."""
        return not self.restart or containerd_daemon.is_loaded(host, [self.path, DROP_IN])

    def settle(self, host: Host) -> None:
        """Restart containerd and wait until it answers; containers go on meanwhile."""
        containerd_daemon.restart(host, [self.path, DROP_IN])

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take ours out of the file; a containerd that was restarted for it is so again."""
        left = super().undo(host, journal, entry)
        loaded = containerd_daemon.is_loaded(host, [entry.path, DROP_IN])
        if entry.params["restart"] and not loaded:
            containerd_daemon.restart(host, [entry.path, DROP_IN])
        return left


def plan(host: Host, names: List[str], wish: Registration, report: Report) -> List[Change]:
    """Return the changes that register the runtime under these names.

    Unless the wish has `restart`, a containerd that runs keeps what it has loaded, and `report` has
    a warning.
    """
    inside = rancher.plan(host, names, wish.program, report)
    if inside and not host.which("containerd"):
        return inside
    version = _require_version(host)
    config = host.resolve(wish.config or containerd_daemon.find_config(host))
    own = document(host, config)
    _require_cri(own, config)
    schema = _schema(own, version)
    wanted = wish.free_names(names, _taken(own, _table(schema), names), config)
    wishes = [one for name in wanted for one in _wishes(schema, name, wish.program)]
    opening = [] if own.statements else [Wish(("version",), str(schema))]
    reason = f"containerd finds the runtimes {', '.join(wanted)}"
    if schema <= 2:  # noqa: PLR2004  the schemas of containerd 1.x
        changes: List[Change] = [
            ContainerdMerge(
                config, OWNER, reason, (*opening, *_stock(own, schema), *wishes), wish.restart
            )
        ]
    else:
        content = merge(_COMMENT, [Wish(("version",), str(schema)), *wishes]).encode()
        imports = [] if _imports_drop_in(own) else [_IMPORTS]
        reading = f"containerd reads {DROP_IN}"
        changes = [
            File(DROP_IN, OWNER, reason, content),
            ContainerdMerge(config, OWNER, reading, (*opening, *imports), wish.restart),
        ]
    _warn(host, changes, report)
    return [*changes, *inside]


def _warn(host: Host, changes: List[Change], report: Report) -> None:
    """Say so when containerd will not know of the changes until somebody restarts it."""
    merged = changes[-1]
    if (
        not isinstance(merged, ContainerdMerge)
        or merged.restart
        or not containerd_daemon.find(host, merged.path)
    ):
        return
    pending = any(change.is_pending(host) for change in changes)
    if pending or not containerd_daemon.is_loaded(host, [merged.path, DROP_IN]):
        report.warnings.append(
            "containerd finds the runtime after its next start: `systemctl restart containerd`, "
            "during which containers go on"
        )


def _require_version(host: Host) -> Tuple[int, int]:
    program = host.which("containerd")
    answer = host.run([program, "--version"]).stdout if program else ""
    match = re.search(r"\sv?(\d+)\.(\d+)", answer)
    if match:
        return int(match[1]), int(match[2])
    raise HostError(
        "cannot register a runtime in containerd",
        f"`containerd --version` says {answer.strip()!r}, wanted a version"
        if program
        else "there is no containerd on this host, and its version decides what to write",
        "install containerd, then run this again",
        HOST_REFUSED,
    )


def _require_cri(own: Document, config: str) -> None:
    disabled = own.value(("disabled_plugins",)) or []
    found = [name for name in _NAMES_OF_CRI if name in disabled]
    if found:
        raise HostError(
            "cannot register a runtime in containerd",
            f"{config} disables the plugin {found[0]!r}, the only one that reads runtimes",
            f"take {found[0]!r} out of disabled_plugins if Kubernetes uses this containerd; ctr "
            "and nerdctl need no registration: `ctr run --runc-binary /opt/kontain/bin/krun`",
            HOST_REFUSED,
        )


def _schema(own: Document, version: Tuple[int, int]) -> int:
    """Return the schema of a configuration, or the one for a new file of this containerd."""
    if not own.statements:
        return 3 if version >= _DEEP_IMPORTS else 2
    found = own.value(("version",))
    schema = found if isinstance(found, int) and found > 0 else 1
    if schema in _CRI:
        return schema
    raise HostError(
        "cannot register a runtime in containerd",
        f"its configuration has the schema version {schema}, wanted one of {list(_CRI)}",
        "report this containerd; see `containerd --version`",
        HOST_REFUSED,
    )


def _table(schema: int) -> Key:
    return ("plugins", _CRI[schema], "containerd", "runtimes")


def _wishes(schema: int, name: str, path: str) -> List[Wish]:
    table = (*_table(schema), name)
    return [
        Wish((*table, "runtime_type"), quoted(_SHIM)),
        Wish((*table, "options", "BinaryName"), quoted(path)),
    ]


def _stock(own: Document, schema: int) -> List[Wish]:
    """Return the wish for the stock runtime runc, where the file has no runtime yet.

    In containerd 1.x a table of runtimes takes the place of its built-in one, and its CRI plugin
    does not load without its default runtime (seen with 1.6.20).
    """
    name = own.value((*_table(schema)[:-1], "default_runtime_name")) or _STOCK_RUNTIME
    table = (*_table(schema), _STOCK_RUNTIME)
    if name != _STOCK_RUNTIME or own.below(table):
        return []
    return [Wish((*table, "runtime_type"), quoted(_SHIM))]


def _taken(own: Document, table: Key, names: List[str]) -> Dict[str, Optional[str]]:
    """Return name → BinaryName of those of the names that are runtimes already."""
    return {
        name: own.value((*table, name, "options", "BinaryName"))
        for name in names
        if own.below((*table, name))
    }


def _imports_drop_in(own: Document) -> bool:
    imported = own.value(("imports",)) or []
    return _GLOB in imported or DROP_IN in imported
