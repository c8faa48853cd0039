# SPDX-License-Identifier: Apache-2.0
"""`kontain check --fix` makes the safe repairs, and an edit in the way is shown and kept."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from kontain_host import explain, install, release, repair
from kontain_host.changes import File
from kontain_host.errors import HostError
from kontain_host.journal import Journal
from kontain_host.report import Report
from kontain_host.transaction import Transaction, perform, session
from kontain_host.uninstall import uninstall

from .fake_podman import podman_of
from .small_host import BundleMaker, SmallHost, snapshot

CONFIG = '{"debug": true}\n'


@pytest.fixture
def installed(host: SmallHost, make_bundle: BundleMaker) -> SmallHost:
    """Return a host with Kontain in docker, which does not run."""
    host.path("/etc/docker").mkdir()
    host.path("/etc/docker/daemon.json").write_text(CONFIG)
    host.add_command("dockerd", 1, "unknown flag")
    install.install(host, make_bundle(), ["docker"])
    return host


def test_a_good_host_needs_nothing(installed: SmallHost) -> None:
    """Nothing is lost, so nothing is done."""
    before = snapshot(Path(installed.root))
    assert repair.fix(installed) == []
    assert snapshot(Path(installed.root)) == before


def test_a_lost_registration_is_made_again(installed: SmallHost) -> None:
    """A replaced daemon.json: the runtime is merged into the new one, and goes again."""
    config = installed.path("/etc/docker/daemon.json")
    config.write_text('{"debug": false}\n')
    (line,) = repair.fix(installed)
    assert "docker-runtimes /etc/docker/daemon.json" in line
    assert '"kontain"' in config.read_text()
    assert uninstall(installed).left == []
    assert config.read_text() == '{"debug": false}\n'


def test_an_engine_without_registration_stays_without(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """A change that nobody asked for is no damage."""
    install.install(host, make_bundle(), [])
    host.add_program("podman", podman_of(host, "podman version 4.3.1"))
    assert repair.fix(host) == []


def test_an_interrupted_run_is_taken_back(installed: SmallHost) -> None:
    """A run that was killed leaves nothing after --fix, and is named."""
    before = snapshot(Path(installed.root) / "etc")
    child = os.fork()
    if child == 0:
        with session(installed) as journal:
            transaction = Transaction(installed, journal, "a test", Report())
            transaction.make(File("/etc/half", "part", "why", b"x"))
            os.kill(os.getpid(), signal.SIGKILL)
    os.waitpid(child, 0)
    assert installed.path("/etc/half").exists()
    assert repair.fix(installed) == ["took back the interrupted run: a test"]
    assert snapshot(Path(installed.root) / "etc") == before


def test_a_host_without_kontain_is_left_alone(host: SmallHost) -> None:
    """Nothing is installed, so nothing is lost."""
    before = snapshot(Path(host.root))
    assert repair.fix(host) == []
    assert snapshot(Path(host.root)) == before


def make(host: SmallHost, content: bytes) -> Report:
    """Make a file of ours."""
    return perform(host, "test", lambda _: [File("/etc/ours", "part", "why", content)])


def test_an_edit_in_the_way_is_shown_and_kept(host: SmallHost) -> None:
    """An edited file of ours: the error has both sides' changes to our text."""
    make(host, b"one\ntwo\nthree\n")
    host.path("/etc/ours").write_bytes(b"one\nTHEIRS\nthree\n")
    with pytest.raises(HostError, match="was changed since Kontain made it") as caught:
        make(host, b"one\ntwo\nthree\nfour\n")
    lines = caught.value.difference.splitlines()
    assert lines[:2] == ["--- /etc/ours as Kontain made it", "+++ /etc/ours as it is now"]
    assert {"-two", "+THEIRS", "+++ /etc/ours as it is wanted", "+four"} <= set(lines)
    assert host.path("/etc/ours").read_bytes() == b"one\nTHEIRS\nthree\n"


def test_an_edit_that_an_uninstall_leaves_is_shown(host: SmallHost) -> None:
    """`why` shows the edit; an uninstall leaves the file, and shows it too."""
    make(host, b"one\ntwo\n")
    host.path("/etc/ours").write_bytes(b"one\ntwo\ntheirs\n")
    (reason,) = explain.why(host, "/etc/ours")
    assert "+theirs" in reason["difference"]
    (left,) = uninstall(host).left
    assert left["path"] == "/etc/ours"
    assert "+theirs" in left["difference"]
    assert "-one" in left["difference"]  # there was no such file before
    assert host.path("/etc/ours").read_bytes() == b"one\ntwo\ntheirs\n"


def test_the_journal_goes_with_all_that_it_kept(host: SmallHost) -> None:
    """After the last undo nothing of the journal is there, also not what was made."""
    before = snapshot(Path(host.root))
    make(host, b"x")
    assert Journal(host).made(Journal(host).active()[-1]) == b"x"
    uninstall(host)
    assert snapshot(Path(host.root)) == before
    assert release.current_version(host) is None


def test_what_kontain_itself_replaced_is_nobodys_edit(host: SmallHost) -> None:
    """`why` names the later run that made something else of a file; an edit before it stays an edit."""
    perform(host, "first", lambda _: [File("/etc/ours", "part", "why", b"one\n")])
    perform(host, "second", lambda _: [File("/etc/ours", "part", "why", b"two\n")])
    told = [(one["intact"], one["replaced"]) for one in explain.why(host, "/etc/ours")]
    assert told == [(False, "second"), (True, "")]
    host.path("/etc/ours").write_bytes(b"theirs\n")
    told = [(one["intact"], one["replaced"]) for one in explain.why(host, "/etc/ours")]
    assert told == [(False, "second"), (False, "")]
