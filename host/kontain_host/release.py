# SPDX-License-Identifier: Apache-2.0
"""Releases side by side below the prefix, and the links by which engines and users find them."""

from __future__ import annotations

import os
from pathlib import Path, PurePosixPath
from typing import Iterable, Iterator, List, Optional, Set, Tuple

from . import running
from .bundle import Bundle, open_bundle
from .changes import Change, File, Link
from .files import ABSENT, read_state
from .host import CONFIG, Host
from .journal import Journal
from .report import Report
from .transaction import perform, retract, session
from .tree import Tree, tree_state
from .trust import read_installed

OWNER = "release"
UNLINKED = "krun"
"""The one program that is not linked into PATH: libkrun's has that name."""

_LINKS = "/usr/local/bin"
_MANUALS = "/usr/local/share/man"
_COMPLETIONS = "/usr/local/share/bash-completion/completions"
_FOLDERS = (_LINKS, _MANUALS, _COMPLETIONS)
_COMPLETION_FOLDER = ("share", "bash-completion", "completions")


def install(host: Host, bundle_file: Path, *, check: bool = False) -> Report:
    """Make a bundle the host's release; raise HostError, and then the host is as before."""
    bundle = open_bundle(host, bundle_file)
    what = f"install {bundle.version}"
    report = perform(host, what, lambda report: plan(host, bundle, report), check=check)
    if report.changed and not check:
        collect(host, report)
    return report


def plan(host: Host, bundle: Bundle, report: Report) -> List[Change]:
    """Return the changes that make `bundle` the host's release, in their order.

    A link whose place is taken by a foreign file is left out, with a warning in `report`.
    """
    prefix, version = host.prefix, bundle.version
    folder = _free_folder(host, bundle)
    changes: List[Change] = [
        Tree(folder, OWNER, f"the programs of Kontain {version}", bundle),
        Link(f"{prefix}/current", OWNER, "the version in use", f"versions/{Path(folder).name}"),
        Link(f"{prefix}/bin", OWNER, "stable paths for engines and users", "current/bin"),
    ]
    policy = f"{CONFIG}/krun.json"
    if bundle.default_policy is not None and read_state(host.path(policy)) == ABSENT:
        changes.append(File(policy, OWNER, "the host's policy for krun", bundle.default_policy))
    return changes + outer_links(host, bundle.names, report)


def outer_links(host: Host, names: Iterable[str], report: Report) -> List[Change]:
    """Return the links outside of the prefix for a release that has the files `names`.

    One whose place a foreign file has is left out, with a warning in `report`.
    """
    changes: List[Change] = []
    read_only = [folder for folder in _FOLDERS if _is_read_only(host.path(folder))]
    for folder in read_only:
        report.warnings.append(f"{folder} cannot be written, so nothing is linked there")
    for path, target in _outer_places(host.prefix, names):
        if path.startswith(tuple(read_only)):
            continue
        link = Link(path, OWNER, "so that a shell or man finds it", target)
        if _is_free(host, link):
            changes.append(link)
        else:
            report.warnings.append(f"{path} is not Kontain's and stays; {target} is not linked")
    return changes


def collect(host: Host, report: Report) -> None:
    """Remove the versions that are neither in use, nor the one before, nor run by a process.

    With them go the links to commands, manuals and completions that the version in use does not have.
    """
    with session(host) as journal:
        old = {*_unused(host, journal), *_dangling(host, journal)}
        if old:
            retract(host, journal, report, lambda entry: entry.id in old)


def current_version(host: Host) -> Optional[str]:
    """Return the version that the prefix's `current` leads to, or None."""
    return read_installed(host, "VERSION") or None


def _free_folder(host: Host, bundle: Bundle) -> str:
    """Return the folder of the release: the one that has it, or else one that is free.

    Another build of the same version, or a tree that somebody changed, is never overwritten.
    """
    versions = f"{host.prefix}/versions"
    names = [bundle.version, f"{bundle.version}-{bundle.digest[:12]}"]
    names += [f"{names[1]}-{number}" for number in range(2, 100)]
    for name in names:
        state = tree_state(host.path(f"{versions}/{name}"))
        if state == ABSENT or state.get("manifest") == bundle.digest:
            return f"{versions}/{name}"
    return f"{versions}/{names[-1]}"


def _outer_places(prefix: str, names: Iterable[str]) -> Iterator[Tuple[str, str]]:
    """Yield path and target of the links outside of the prefix."""
    for name in names:
        parts = PurePosixPath(name).parts
        if parts[0] == "bin" and parts[1:] != (UNLINKED,):
            yield f"{_LINKS}/{parts[1]}", f"{prefix}/{name}"
        if parts[:2] == ("share", "man") and len(parts) == 4:  # noqa: PLR2004  share/man/man1/x.1
            yield f"{_MANUALS}/{parts[2]}/{parts[3]}", f"{prefix}/current/{name}"
        if parts[:-1] == _COMPLETION_FOLDER:
            yield f"{_COMPLETIONS}/{parts[-1]}", f"{prefix}/current/{name}"


def _is_read_only(folder: Path) -> bool:
    """Return whether the file system is read-only that a folder is, or would be, on."""
    there = next(place for place in (folder, *folder.parents) if place.exists())
    return bool(os.statvfs(there).f_flag & os.ST_RDONLY)


def _is_free(host: Host, link: Link) -> bool:
    now = link.now(host)
    return now == ABSENT or now == link.after(host)


def _unused(host: Host, journal: Journal) -> Iterator[int]:
    """Yield the ids of the trees that nothing needs, of those that this installer made."""
    current = [entry for entry in journal.active() if entry.path == f"{host.prefix}/current"]
    needed: Set[str] = set()
    if current:
        needed = {current[-1].after["target"], current[-1].before.get("target", "")}
    for entry in journal.active():
        if entry.kind != Tree.kind or not entry.path.startswith(f"{host.prefix}/versions/"):
            continue
        name = os.path.relpath(entry.path, host.prefix)
        if name not in needed and not running.processes_of(host, entry.path):
            yield entry.id


def _dangling(host: Host, journal: Journal) -> Iterator[int]:
    """Yield the ids of the outer links that lead to nothing."""
    for entry in journal.active():
        is_outer = entry.path.startswith((f"{_LINKS}/", f"{_MANUALS}/", f"{_COMPLETIONS}/"))
        if is_outer and entry.kind == Link.kind and not host.path(entry.after["target"]).exists():
            yield entry.id
