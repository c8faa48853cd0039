# SPDX-License-Identifier: Apache-2.0
"""Make the host what it was: every change taken back, newest first."""

from __future__ import annotations

from typing import Callable

from . import release, running
from .engines import ENGINES, containers
from .errors import IN_USE, HostError
from .host import Host
from .journal import Entry, Journal
from .report import Report
from .transaction import foresee_retract, retract, session

_SHOWN = 10  # of the containers in the way


def uninstall(host: Host, *, force: bool = False, check: bool = False) -> Report:
    """Take every change back and forget the journal.

    Refuses, naming them, while containers or payloads run, unless `force`. What others changed
    since stays, and `Report.left` says so. An interrupted run is continued by the next.
    """
    return _take_back(host, lambda _: True, force=force, check=check)


def withdraw(host: Host, *owners: str, force: bool = False, check: bool = False) -> Report:
    """Take the changes of these parts (`owners`) back; else as `uninstall`."""
    if release.OWNER in owners:
        _refuse_registered(Journal(host))
    return _take_back(host, lambda entry: entry.owner in owners, force=force, check=check)


def go_back(host: Host, last: int, *, check: bool = False) -> Report:
    """Take back what was changed after the change of number `last`, which `explain.info` tells.

    So a host is again what it was before an installation that did not hold what it promised. What
    runs stays: it runs by the release before, if there was one.
    """
    return _take_back(host, lambda entry: entry.id > last, force=True, check=check)


def _take_back(host: Host, choose: Callable[[Entry], bool], *, force: bool, check: bool) -> Report:
    report = Report()
    if check:
        journal = Journal(host)
        _refuse_in_use(host, journal, choose, force=force)
        foresee_retract(journal, report, choose)
    elif host.path(host.state).exists():
        with session(host) as journal:
            _refuse_in_use(host, journal, choose, force=force)
            retract(host, journal, report, choose)
            report.warnings += host.warnings
    return report


def _refuse_registered(journal: Journal) -> None:
    """Refuse while an engine knows the runtime, which would be gone."""
    knowing = sorted({entry.owner for entry in journal.active()} & set(ENGINES))
    if knowing:
        raise HostError(
            "cannot remove the release",
            f"these engines know its runtime: {', '.join(knowing)}",
            "take the runtime out of them first, or uninstall everything",
        )


def _refuse_in_use(
    host: Host, journal: Journal, choose: Callable[[Entry], bool], *, force: bool
) -> None:
    if force or not any(choose(entry) for entry in journal.active()):
        return
    users = containers(host, journal) or running.payloads(host)
    if users:
        more = f" and {len(users) - _SHOWN} more" if len(users) > _SHOWN else ""
        shown = ", ".join(users[:_SHOWN]) + more
        raise HostError(
            "cannot remove Kontain while it is in use",
            f"these run by it: {shown}",
            "stop them, or give --force (force: true), after which their engines cannot "
            "manage them any more",
            IN_USE,
        )
