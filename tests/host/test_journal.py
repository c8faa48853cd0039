# SPDX-License-Identifier: Apache-2.0
"""The journal survives being cut off, and refuses to be misread."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kontain_host.changes import File, Link
from kontain_host.errors import HostError
from kontain_host.journal import JOURNAL, Journal
from kontain_host.report import Report
from kontain_host.transaction import perform, session
from kontain_host.uninstall import uninstall

from .small_host import SmallHost, snapshot

CHANGES = [File("/etc/k/a.conf", "part", "a reason", b"one\n"), Link("/opt/l", "part", "why", "x")]


def _events(host: SmallHost) -> list[str]:
    return [json.loads(line)["event"] for line in host.path(JOURNAL).read_text().splitlines()]


def test_each_change_is_announced_before_and_confirmed_after(host: SmallHost) -> None:
    """Intent, change, done: for the directory, the file and the link."""
    perform(host, "test", lambda _: CHANGES)
    assert _events(host) == ["begin", *["intent", "done"] * 3, "commit"]


def test_a_run_that_changes_nothing_writes_nothing(host: SmallHost) -> None:
    """A second run does not touch the host, not even the journal."""
    perform(host, "test", lambda _: CHANGES)
    before = snapshot(Path(host.root))
    assert not perform(host, "test", lambda _: CHANGES).changed
    assert snapshot(Path(host.root)) == before


def test_a_journal_cut_at_any_byte_leads_back_to_a_clean_host(host: SmallHost) -> None:
    """Power may fail at any byte of the journal: the next run finds the host as it was."""
    before = snapshot(Path(host.root))
    perform(host, "test", lambda _: CHANGES)
    whole = host.path(JOURNAL).read_bytes()
    # What follows the last intent was written after the last change.
    last_intent = whole.rindex(b'"event":"intent"')
    first = whole.index(b"\n", last_intent) + 1
    for size in range(first, len(whole)):
        perform(host, "test", lambda _: CHANGES)
        content = host.path(JOURNAL).read_bytes()
        assert len(content) == len(whole)
        host.path(JOURNAL).write_bytes(content[:size])
        with session(host):
            pass
        assert snapshot(Path(host.root)) == before


def test_a_line_that_is_no_event_is_named(host: SmallHost) -> None:
    """A damaged journal stops every run, with the line's number."""
    perform(host, "test", lambda _: CHANGES)
    journal = host.path(JOURNAL)
    lines = journal.read_text().splitlines()
    lines[2] = "{}"
    journal.write_text("\n".join(lines) + "\n")
    with pytest.raises(HostError, match=f"line 3 of .*{JOURNAL} is not one of its events"):
        Journal(host)


def test_before_images_are_for_root_alone(host: SmallHost) -> None:
    """Old configurations may hold secrets: no other user can read them."""
    perform(host, "one", lambda _: CHANGES[:1])
    perform(host, "two", lambda _: [File("/etc/k/a.conf", "part", "a reason", b"two\n")])
    folder = host.path("/var/lib/kontain/before")
    assert oct(folder.stat().st_mode & 0o777) == "0o700"
    kept = list(folder.iterdir())
    assert kept
    assert {oct(item.stat().st_mode & 0o777) for item in kept} == {"0o600"}


def test_nothing_of_the_journal_stays_after_an_uninstall(host: SmallHost) -> None:
    """Where nothing of ours stands, there is no journal and no folder."""
    before = snapshot(Path(host.root))
    perform(host, "test", lambda _: CHANGES)
    assert isinstance(uninstall(host), Report)
    assert snapshot(Path(host.root)) == before
