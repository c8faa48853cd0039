# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in containerd's CRI plugin, for Kubernetes.

containerd 1.x has one file, into which the tables are merged: its `imports` replace whole plugins
(mergeConfig; seen with 1.6.20 and 1.7.24), so that it is the last file that has the plugin.
containerd 2.x merges imports deeply, so it gets a drop-in file. It reads its configuration only
when it starts, and 2.2.2 ends on SIGHUP (containerd issue 13285). Its own reading of its files
decides (`config dump`).
"""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, NamedTuple, Optional, Tuple

from .. import looks
from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..journal import Entry, Journal
from ..looks import Document, quoted
from ..report import Report
from . import containerd_daemon, kubernetes
from .containerd_runtimes import (
    CRI,
    SHIM,
    STOCK_RUNTIME,
    programs,
    runtimes_table,
    schema_of,
    shared_options,
    wishes,
)
from .containerd_view import dump, table_file
from .registration import Registration
from .toml_edit import Wish, merge
from .toml_file import TomlMerge, document

ENGINE = looks.containerd.CONTAINERD
OWNER = ENGINE.name
DROP_IN = f"{looks.containerd.FOLDER}/kontain.toml"

_GLOB = f"{looks.containerd.FOLDER}/*.toml"
_OWN_GLOB = f"{looks.containerd.FOLDER}/kontain*.toml"  # brings no file of others to life
_COMMENT = "# Made by Kontain; `kontain why` says more about this file.\n"
_NAMES_OF_CRI = ("cri", *sorted(set(CRI.values()) - {"cri"}))
_DEEP_IMPORTS = (2, 0)  # the first version whose imports do not replace whole plugins


def is_present(host: Host) -> bool:
    """Return whether this host has containerd, of its own or inside a distribution of Kubernetes."""
    return ENGINE.is_present(host) or bool(kubernetes.present(host))


@dataclass(frozen=True)
class ContainerdMerge(TomlMerge):
    """Values in containerd's own file; a running containerd learns of them when it starts."""

    kind: ClassVar[str] = "containerd-toml"

    restart: bool = False
    config: str = ""  # of the containerd, which may import `path`
    programs: Tuple[Tuple[str, str], ...] = ()  # name and program of each runtime wanted
    others: Tuple[str, ...] = ()  # names of the runtimes that it has beside ours

    def params(self) -> Dict[str, Any]:
        """Return the wishes, the configuration, and whether containerd may be restarted."""
        return {**super().params(), "restart": self.restart, "config": self.config}

    def is_settled(self, host: Host) -> bool:
        """Return whether containerd sees all, and has started since or may not be restarted."""
        return not self._complaint(host) and (not self.restart or self.is_loaded(host))

    def is_loaded(self, host: Host) -> bool:
        """Return whether no containerd runs that started before the last change."""
        return containerd_daemon.is_loaded(host, [self.config, self.path, DROP_IN])

    def settle(self, host: Host) -> None:
        """Judge by containerd's own reading; restart it and wait until it answers, where wanted.

        Containers go on meanwhile.
        """
        complaint = self._complaint(host)
        if complaint:
            raise HostError(
                "containerd does not see the registration in its files",
                f"by `containerd --config {self.config} config dump` {complaint}",
                f"see which of the files that {self.config} imports has the table of that plugin",
                HOST_REFUSED,
            )
        if self.restart and not self.is_loaded(host):
            containerd_daemon.restart(host, [self.config, self.path, DROP_IN])

    def _complaint(self, host: Host) -> str:
        """Return what containerd would not know after its next start, "" where it knows all."""
        view = dump(host, self.config)
        found = programs(view, schema_of(view))
        for name, program in self.programs:
            if found.get(name) != program:
                return f"the runtime {name} has the program {found.get(name)}, wanted {program}"
        lost = [name for name in self.others if name not in found]
        return f"it has no {', '.join(lost)} any more" if lost else ""

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take ours out of the file; a containerd that was restarted for it is so again."""
        left = super().undo(host, journal, entry)
        files = [entry.params.get("config") or entry.path, entry.path, DROP_IN]
        if entry.params["restart"] and not containerd_daemon.is_loaded(host, files):
            containerd_daemon.restart(host, files)
        return left


def plan(host: Host, names: List[str], wish: Registration, report: Report) -> List[Change]:
    """Return the changes that register the runtime under these names.

    Unless the wish has `restart`, a containerd that runs keeps what it has loaded, and `report` has
    a warning.
    """
    inside = kubernetes.plan(host, names, wish.program, report)
    if inside and not ENGINE.is_present(host):
        return inside
    version = _require_version(host)
    config = host.resolve(wish.config or containerd_daemon.find_config(host))
    own = document(host, config)
    _require_cri(own, config)
    _schema(own, version)
    view = dump(host, config)
    known = programs(view, schema_of(view))
    taken = {name: known[name] for name in names if name in known}
    wanted = wish.free_names(names, taken, config)
    changes = _changes(host, _Seen(version, config, own, view), wanted, wish)
    _warn(host, changes, report)
    return [*changes, *inside]


class _Seen(NamedTuple):
    """A containerd: its version, its configuration, what is in that, and what it makes of all."""

    version: Tuple[int, int]
    config: str
    own: Document
    view: Document


def _changes(host: Host, seen: _Seen, names: List[str], wish: Registration) -> List[Change]:
    """Return the changes that give a containerd these runtimes."""
    _, config, own, view = seen
    path = table_file(host, config) if seen.version < _DEEP_IMPORTS else config
    own = own if path == config else document(host, path)
    schema = _schema(own, seen.version)
    options = shared_options(view, schema_of(view))
    reason = f"containerd finds the runtimes {', '.join(names)}"
    others = tuple(sorted(set(programs(view, schema_of(view))) - set(names)))
    pairs = tuple((name, wish.program) for name in names)
    opening = [] if own.statements else [Wish(("version",), str(schema))]
    if schema <= 2:  # noqa: PLR2004  the schemas of containerd 1.x
        all_of_it = (
            *opening,
            *_stock(own, schema),
            *wishes(schema, names, wish.program, options, own),
        )
        return [
            ContainerdMerge(path, OWNER, reason, all_of_it, wish.restart, config, pairs, others)
        ]
    there = document(host, DROP_IN)
    lines = [
        Wish(("version",), str(schema)),
        *wishes(schema, names, wish.program, options, there),
    ]
    imports = [] if _imports_drop_in(own) else [Wish(("imports",), _glob(host), is_item=True)]
    reading = f"containerd reads {DROP_IN}"
    return [
        File(DROP_IN, OWNER, reason, merge(_COMMENT, lines).encode()),
        ContainerdMerge(
            config, OWNER, reading, (*opening, *imports), wish.restart, config, pairs, others
        ),
    ]


def _warn(host: Host, changes: List[Change], report: Report) -> None:
    """Warn when containerd will not know of the changes until it is restarted."""
    merged = changes[-1]
    if (
        not isinstance(merged, ContainerdMerge)
        or merged.restart
        or not containerd_daemon.find(host, merged.config)
    ):
        return
    pending = any(change.is_pending(host) for change in changes)
    if pending or not merged.is_loaded(host):
        report.warnings.append(
            "containerd finds the runtime after its next start: `systemctl restart containerd`, "
            "during which containers keep running"
        )


def _require_version(host: Host) -> Tuple[int, int]:
    answer = ENGINE.version_text(host)
    version = looks.engines.version_in(answer)
    if version:
        return version
    raise HostError(
        "cannot register a runtime in containerd",
        f"`containerd --version` says {answer.strip()!r}, wanted a version"
        if ENGINE.is_present(host)
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
    schema = schema_of(own)
    if schema in CRI:
        return schema
    raise HostError(
        "cannot register a runtime in containerd",
        f"its configuration has the schema version {schema}, wanted one of {list(CRI)}",
        "report this containerd; see `containerd --version`",
        HOST_REFUSED,
    )


def _stock(own: Document, schema: int) -> List[Wish]:
    """Return the wish for the stock runtime runc, where the file has no runtime yet.

    In containerd 1.x a table of runtimes takes the place of its built-in one, and its CRI plugin
    does not load without its default runtime (seen with 1.6.20).
    """
    name = own.value((*runtimes_table(schema)[:-1], "default_runtime_name")) or STOCK_RUNTIME
    table = (*runtimes_table(schema), STOCK_RUNTIME)
    if name != STOCK_RUNTIME or own.below(table):
        return []
    return [Wish((*table, "runtime_type"), quoted(SHIM))]


def _imports_drop_in(own: Document) -> bool:
    imported = own.value(("imports",)) or []
    return any(fnmatch.fnmatchcase(DROP_IN, str(pattern)) for pattern in imported)


def _glob(host: Host) -> str:
    """Return what to import: the usual folder, unless that has files that nobody imports now."""
    folder = host.path(DROP_IN).parent
    others = [place for place in folder.glob("*.toml") if place != host.path(DROP_IN)]
    return quoted(_OWN_GLOB if others else _GLOB)
