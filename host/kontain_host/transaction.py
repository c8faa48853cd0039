# SPDX-License-Identifier: Apache-2.0
"""Carry changes out as one: all of them, or none; and take them back."""

from __future__ import annotations

import contextlib
from pathlib import PurePosixPath
from typing import Callable, Iterator, Optional, Sequence, Set

from .changes import Change, kind_of, missing_parents
from .difference import three_way
from .errors import HostError, named
from .files import temporary_name
from .host import Host
from .journal import Entry, Journal
from .report import Report

_AS_BEFORE = "as before"


class Transaction:
    """Changes that stand or fall together. Use it as a context; an exception takes all back."""

    def __init__(self, host: Host, journal: Journal, what: str, report: Report) -> None:
        """Prepare a transaction that the journal calls `what`; nothing is written yet."""
        self.host = host
        self.journal = journal
        self.what = what
        self.report = report
        self.number: Optional[int] = None

    def __enter__(self) -> Transaction:  # noqa: PYI034  Self is Python 3.11's
        """Begin; the journal hears of it with the first change."""
        return self

    def __exit__(self, kind: object, error: object, trace: object) -> None:
        """Take every change of this transaction back when an error ends it."""
        if self.number is None or error is None:
            return
        try:
            roll_back(self.host, self.journal, self.number)
        except HostError as stuck:
            what, why = "the run was interrupted", "a signal asked it to stop"
            if isinstance(error, HostError):
                what, why = error.what, error.why
            raise HostError(what, f"{why}, and {stuck.what}: {stuck.why}", stuck.fix) from stuck

    def make(self, change: Change) -> None:
        """Bring the host to what `change` says; do nothing where it is so already."""
        if not change.is_pending(self.host):
            if not change.is_settled(self.host):
                change.settle(self.host)
                self.report.add(change)
            return
        guard(self.host, self.journal, change)
        self.report.add_diff(change.path, change.text_now(self.host), change.text(self.host))
        for directory in missing_parents(self.host, change):
            guard(self.host, self.journal, directory)
            self._carry_out(directory)
        self._carry_out(change)

    def commit(self) -> None:
        """Let all changes stand; the last call before the context ends."""
        if self.number is not None:
            self.journal.end(self.number, "commit")

    def _carry_out(self, change: Change) -> None:
        entry = self._entry(change)
        self.host.tell(f"{change.kind} {change.path}")
        with named(f"cannot make the {change.kind} {change.path}"):
            if self.number is None:
                self.number = self.journal.begin(self.what)
                entry.transaction = self.number
            before, made = change.before_content(self.host), change.made_content(self.host)
            self.journal.intend(entry, before, made)
            change.apply(self.host, entry)
            self.journal.done(entry)
        self.report.add(change)
        if not change.is_settled(self.host):
            change.settle(self.host)

    def _entry(self, change: Change) -> Entry:
        return Entry(
            id=self.journal.next_id(),
            transaction=self.number or 0,
            kind=change.kind,
            path=change.path,
            owner=change.owner,
            reason=change.reason,
            before=change.now(self.host),
            after=change.after(self.host),
            temporary=temporary_name(PurePosixPath(change.path).name),
            params=change.params(),
        )


def guard(host: Host, journal: Journal, change: Change) -> None:
    """Raise HostError, with the three-way difference, where a change would overwrite an edit."""
    last = journal.last(change.path)
    try:
        change.guard(host, last)
    except HostError as error:
        error.difference = _difference(host, journal, last, change.text(host))
        raise


def _difference(host: Host, journal: Journal, entry: Optional[Entry], wanted: str) -> str:
    """Return the edits of a file of ours, next to the state wanted now."""
    base = journal.made(entry) if entry else None
    if entry is None or base is None:
        return ""
    place = host.path(entry.path)
    now = place.read_bytes() if place.is_file() else b""
    return three_way(
        base.decode(errors="replace"), now.decode(errors="replace"), wanted, entry.path
    )


def perform(
    host: Host, what: str, plan: Callable[[Report], Sequence[Change]], *, check: bool = False
) -> Report:
    """Make all changes of a plan in one transaction; with `check` only say what it would do.

    The plan is made after an interrupted run has been repaired, for it looks at the host. Raises
    HostError; then the host is as before the call.
    """
    report = Report()
    if check:
        with named("cannot look at this host"):
            _foresee(host, plan, report)
        return report
    with session(host) as journal, Transaction(host, journal, what, report) as transaction:
        for change in plan(report):
            transaction.make(change)
        transaction.commit()
    report.warnings += host.warnings
    return report


def _foresee(host: Host, plan: Callable[[Report], Sequence[Change]], report: Report) -> None:
    journal = Journal(host)
    if journal.open_transaction is not None:
        report.warnings.append("a run was interrupted; the next one first undoes its changes")
    foreseen: Set[str] = set()
    for change in plan(report):
        if not change.is_pending(host):
            if not change.is_settled(host):
                report.add(change)
            continue
        guard(host, journal, change)
        for directory in missing_parents(host, change):
            if directory.path not in foreseen:
                foreseen.add(directory.path)
                report.add(directory)
        report.add(change)
        report.add_diff(change.path, change.text_now(host), change.text(host))


@contextlib.contextmanager
def session(host: Host) -> Iterator[Journal]:
    """Give the journal, locked, with nothing half done in it.

    A journal by which nothing stands any more goes in the end, and its folder with it.
    """
    host.require_root()
    with named("cannot change this host"), host.lock():
        journal = Journal(host)
        try:
            recover(host, journal)
            yield journal
        finally:
            if not journal.active() and journal.open_transaction is None:
                journal.remove()


def recover(host: Host, journal: Journal) -> None:
    """Finish what an interrupted run left: sweep its drafts, and take its transaction back."""
    for entry in journal.active():
        kind_of(entry).clean(host, entry)
    if journal.open_transaction is not None:
        roll_back(host, journal, journal.open_transaction)


def roll_back(host: Host, journal: Journal, transaction: int) -> None:
    """Take every change of a transaction back, newest first."""
    entries = [entry for entry in reversed(journal.active()) if entry.transaction == transaction]
    outcomes = [(entry, _undo(host, journal, entry)) for entry in entries]
    # A full disk may not take the news; then the next run looks again and finds all as it was.
    with contextlib.suppress(OSError):
        for entry, left in outcomes:
            journal.undone(entry, left or _AS_BEFORE)
        journal.end(transaction, "rolled-back")


def _undo(host: Host, journal: Journal, entry: Entry) -> Optional[str]:
    kind = kind_of(entry)
    with named(f"cannot take back the {entry.kind} {entry.path}"):
        kind.clean(host, entry)
        return kind.undo(host, journal, entry)


def retract(host: Host, journal: Journal, report: Report, choose: Callable[[Entry], bool]) -> None:
    """Take the chosen changes back, newest first, and report each with what was left of it."""
    for entry in reversed(journal.active()):
        if not choose(entry):
            continue
        host.tell(f"take back {entry.kind} {entry.path}")
        left = _undo(host, journal, entry)
        journal.undone(entry, left or _AS_BEFORE)
        report.add(entry)
        if left:
            before = journal.kept(str(entry.id)).decode(errors="replace") if entry.kept else ""
            found = {"difference": _difference(host, journal, entry, before)}
            shown = found if found["difference"] else {}
            report.left.append({"path": entry.path, "why": left, **shown})


def foresee_retract(journal: Journal, report: Report, choose: Callable[[Entry], bool]) -> None:
    """Report what `retract` would take back, and change nothing."""
    for entry in reversed(journal.active()):
        if choose(entry):
            report.add(entry)
