# SPDX-License-Identifier: Apache-2.0
"""Go back to the version before: its tree still stands, and one rename switches to it."""

from __future__ import annotations

from pathlib import PurePosixPath
from typing import Dict, List

from . import release
from .changes import Change, Link
from .errors import HostError
from .files import read_state
from .host import Host
from .journal import Journal
from .looks import manifest
from .report import Report
from .transaction import perform


def rollback(host: Host, *, check: bool = False) -> Report:
    """Make the version that was in use before the present one the host's again.

    A second call goes forward again. Containers that run keep the programs that they began with.
    Raises HostError when there is no version before, or its files are no longer those that were
    installed; then nothing was changed.
    """
    current = f"{host.prefix}/current"
    target = _version_before(host, current)

    def plan(report: Report) -> List[Change]:
        names = _intact_files(host, target)
        reason = f"the version before {PurePosixPath(_present(host, current)).name}"
        switch = Link(current, release.OWNER, reason, target)
        return [switch, *release.outer_links(host, names, report)]

    report = perform(host, f"roll back to {PurePosixPath(target).name}", plan, check=check)
    if not check:
        release.collect(host, report)
    return report


def _present(host: Host, current: str) -> str:
    return str(read_state(host.path(current)).get("target", "nothing"))


def _version_before(host: Host, current: str) -> str:
    """Return where `current` led before, as a link's target."""
    last = Journal(host).last(current)
    target = last.before.get("target") if last else None
    if not target or not host.path(f"{host.prefix}/{target}").is_dir():
        raise HostError(
            "cannot roll back",
            "there is no version before the present one, "
            f"{release.current_version(host) or 'for none is installed'}",
            "install the wanted version: `kontain install BUNDLE`",
        )
    return str(target)


def _intact_files(host: Host, target: str) -> Dict[str, str]:
    """Return path → SHA-256 of a version's files, each of which was found to be as installed."""
    tree = host.path(f"{host.prefix}/{target}")
    try:
        listed = manifest.parse((tree / manifest.NAME).read_bytes())
        wrong, _ = manifest.differences(tree, listed)
    except (OSError, ValueError) as error:
        wrong = [f"{manifest.NAME} ({error})"]
    if wrong:
        raise HostError(
            "cannot roll back",
            f"{tree} is not as it was installed: {', '.join(wrong[:3])}",
            "install the wanted version again: `kontain install BUNDLE`",
        )
    return listed
