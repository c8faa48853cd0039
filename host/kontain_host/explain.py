# SPDX-License-Identifier: Apache-2.0
"""Answer questions about a host, unchanged: the installed version, and a file's reason."""

from __future__ import annotations

import os
from typing import Any, Dict, List, Optional

from . import engines
from .changes import kind_of
from .difference import three_way
from .files import read_state, same
from .host import CONFIG, Host
from .journal import Entry, Journal
from .release import current_version

DOCUMENTATION = "https://github.com/kontainapp/platform/tree/main/docs"


def info(host: Host) -> Dict[str, Any]:
    """Return the version, the paths, and for each engine whether it is there and registered."""
    journal = Journal(host)
    owners = {entry.owner for entry in journal.active()}
    present = engines.present(host)
    versions = host.path(f"{host.prefix}/versions")
    return {
        "version": current_version(host),
        "before": _version_before(host, journal),
        "versions": sorted(item.name for item in versions.iterdir()) if versions.is_dir() else [],
        "prefix": host.prefix,
        "configuration": CONFIG,
        "state": host.state,
        "engines": {
            name: {"present": name in present, "registered": name in owners}
            for name in engines.ENGINES
        },
        "last_change": journal.last_id(),
        "documentation": DOCUMENTATION,
    }


def _version_before(host: Host, journal: Journal) -> Optional[str]:
    """Return the folder's name of the version that `rollback` goes to, or None."""
    last = journal.last(f"{host.prefix}/current")
    target = last.before.get("target") if last else None
    there = target and read_state(host.path(f"{host.prefix}/{target}"))["type"] == "directory"
    return target.rpartition("/")[2] if target and there else None


def why(host: Host, path: str) -> List[Dict[str, Any]]:
    """Return the changes that made what is at a host path, oldest first; none: not Kontain's.

    Of a symbolic link, what made it and what made its target.

    Each has `path`, `kind`, `owner`, `reason`, `time` (UTC), `transaction`, `before` (a state),
    `intact`: whether it still is what that change made, `replaced`: the later transaction of ours that
    made something else of that, or "", and the `difference` if it is a text that others changed.
    """
    real = os.path.relpath(os.path.realpath(host.path(path)), os.path.realpath(host.root))
    names = {os.path.normpath(path), f"/{real}"}
    journal = Journal(host)
    entries = [entry for entry in journal.active() if any(_covers(entry, name) for name in names)]
    return [_explain(host, journal, entry) for entry in entries]


def _covers(entry: Entry, path: str) -> bool:
    return path == entry.path or (entry.kind == "tree" and path.startswith(f"{entry.path}/"))


def _explain(host: Host, journal: Journal, entry: Entry) -> Dict[str, Any]:
    now = kind_of(entry).look(host, entry.path, entry.params)
    intact = same(now, entry.after)
    later = None if intact else _replacement(journal, entry)
    return {
        "path": entry.path,
        "kind": entry.kind,
        "owner": entry.owner,
        "reason": entry.reason,
        "time": entry.time,
        "transaction": journal.transactions[entry.transaction],
        "before": entry.before,
        "intact": intact,
        "replaced": journal.transactions[later.transaction] if later else "",
        "difference": "" if intact or later else _edits(host, journal, entry),
    }


def _replacement(journal: Journal, entry: Entry) -> Optional[Entry]:
    """Return the next change of the path, where it found just what this one had made."""
    later = [one for one in journal.active() if one.path == entry.path and one.id > entry.id]
    return later[0] if later and same(later[0].before, entry.after) else None


def _edits(host: Host, journal: Journal, entry: Entry) -> str:
    """Return the difference between a text that Kontain made and its edited form."""
    made, place = journal.made(entry), host.path(entry.path)
    if made is None or not place.is_file():
        return ""
    base, now = made.decode(errors="replace"), place.read_bytes().decode(errors="replace")
    return three_way(base, now, base, entry.path)
