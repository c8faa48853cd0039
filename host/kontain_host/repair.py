# SPDX-License-Identifier: Apache-2.0
"""Make the repairs that are safe: restore changes that the journal names and that were lost."""

from __future__ import annotations

from typing import List

from . import engines, kvm, release
from .changes import Change
from .errors import HostError
from .host import Host
from .journal import Journal
from .report import Report
from .transaction import perform, session


def fix(host: Host) -> List[str]:
    """Repair this host, and return a line for each repair.

    It takes back a run that was interrupted; loads the module of KVM; registers the runtime again
    in the engines that had it; lets an engine load a configuration that it has not. Nothing that a
    person changed is overwritten: that is an error, or stays.
    """
    lines = _finish_interrupted(host)
    report = perform(host, "check --fix", lambda report: _plan(host, report))
    lines += [
        f"{change['kind']} {change['path']}: {change['reason']}" for change in report.changes
    ]
    return lines + report.warnings


def _finish_interrupted(host: Host) -> List[str]:
    if not host.path(host.state).exists():
        return []
    journal = Journal(host)
    number = journal.open_transaction
    with session(host):
        pass
    return [f"took back the interrupted run: {journal.transactions[number]}"] if number else []


def _plan(host: Host, report: Report) -> List[Change]:
    changes: List[Change] = []
    if not host.path(kvm.DEVICE).exists():
        changes += kvm.plan(host, "leave", (), report)
    if release.current_version(host) is None:
        return changes
    had = {entry.owner for entry in Journal(host).active()}
    for engine in engines.present(host):
        if engine not in had:
            continue
        try:
            changes += engines.plan(host, engine, report)
        except HostError as error:
            report.warnings.append(f"not {engine}: {error.what}: {error.why}")
    return changes
