# SPDX-License-Identifier: Apache-2.0
"""A run that is killed at any step is taken back, or finished, by the next."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kontain_host import engines, kvm, release
from kontain_host.bundle import Bundle, open_bundle
from kontain_host.changes import Change, File
from kontain_host.errors import HostError
from kontain_host.host import STATE, Host
from kontain_host.report import Report
from kontain_host.transaction import perform, session
from kontain_host.uninstall import uninstall

from .fake_containerd import containerd
from .small_host import FILES, BundleMaker, SmallHost, Tree, make_root, snapshot
from .toml_corpus import SCHEMA_3

EVENTS = {
    *("open", "os.chmod", "os.chown", "os.mkdir", "os.remove", "os.rename", "os.rmdir"),
    *("os.symlink", "os.truncate", "os.utime", "os.setxattr"),
}
"""What Python announces (sys.addaudithook) before it does it, as far as it can change a disk."""

CONFIG = '{\n  "debug": true\n}\n'


class Killer:
    """Kills this process just before its n-th step that could change a disk."""

    def __init__(self) -> None:
        """Stay harmless until `at` is set."""
        self.at = 0
        sys.addaudithook(self._hear)

    def _hear(self, event: str, arguments: tuple[Any, ...]) -> None:
        if self.at and event in EVENTS and not (event == "open" and _is_reading(arguments[2])):
            self.at -= 1
            if self.at == 0:
                os.kill(os.getpid(), signal.SIGKILL)


def _is_reading(flags: int) -> bool:
    return not flags & (os.O_WRONLY | os.O_RDWR | os.O_CREAT)


KILLER = Killer()


def dies(work: Callable[[], object], step: int) -> bool:
    """Run the work in a child that is killed at a step; return whether it came so far."""
    child = os.fork()
    if child == 0:
        KILLER.at = step
        try:
            work()
        finally:
            os._exit(0)
    _, status = os.waitpid(child, 0)
    return os.WIFSIGNALED(status)


def install(host: SmallHost, bundle: Bundle) -> Report:
    """Do everything that Kontain does to a host, in one transaction."""

    def plan(report: Report) -> list[Change]:
        changes = release.plan(host, bundle, report)
        changes += kvm.plan(host, "group", ["alice"], report)
        for engine in engines.ENGINES:
            changes += engines.plan(host, engine, report)
        return changes

    return perform(host, "install", plan)


def restart(host: SmallHost) -> Tree:
    """Let the next run repair the host, and return the files beyond the journal."""
    with session(host):
        pass
    return _without_state(host)


def _without_state(host: SmallHost) -> Tree:
    state = STATE.lstrip("/")
    return {path: item for path, item in snapshot(Path(host.root)).items() if state not in path}


@pytest.fixture
def fresh(memory: Path) -> Callable[[], SmallHost]:
    """Return a maker of the same host, for there are hundreds of runs."""

    def make() -> SmallHost:
        shutil.rmtree(memory / "host", ignore_errors=True)
        host = SmallHost(make_root(memory / "host"))
        host.path("/etc/docker").mkdir()
        host.path("/etc/docker/daemon.json").write_text(CONFIG)
        host.path("/etc/containerd").mkdir()
        host.path("/etc/containerd/config.toml").write_text(SCHEMA_3)
        version = "containerd containerd.io v2.1.4 abc\n"
        host.add_program("containerd", containerd(host, version))
        return host

    return make


@pytest.mark.slow
def test_a_killed_install_is_taken_back(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """Killed at every step in turn, the next run makes the host as before, to the byte."""
    bundle, step = open_bundle(fresh(), make_bundle()), 0
    host = fresh()
    before = snapshot(Path(host.root))
    while dies(lambda: install(host, bundle), step := step + 1):
        restart(host)
        assert snapshot(Path(host.root)) == before, f"killed at step {step}"
    assert step > 60
    uninstall(host)
    assert snapshot(Path(host.root)) == before


@pytest.mark.slow
def test_a_killed_uninstall_is_finished(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """Killed at every step in turn, the next uninstall leaves the host as before."""
    bundle, step = open_bundle(fresh(), make_bundle()), 0
    host = fresh()
    before = snapshot(Path(host.root))
    killed = True
    while killed:
        install(host, bundle)
        killed = dies(lambda: uninstall(host), step := step + 1)
        assert uninstall(host).left == []
        assert snapshot(Path(host.root)) == before, f"killed at step {step}"
    assert step > 50


def test_an_install_after_a_killed_uninstall_is_whole(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """After a killed uninstall an install works, and its uninstall is exact."""
    bundle = open_bundle(fresh(), make_bundle())
    for step in range(1, 60, 7):
        host = fresh()
        before = snapshot(Path(host.root))
        install(host, bundle)
        whole = _without_state(host)
        dies(lambda host=host: uninstall(host), step)  # type: ignore[misc]
        install(host, bundle)
        assert _without_state(host) == whole, f"killed at step {step}"
        assert uninstall(host).left == []
        assert snapshot(Path(host.root)) == before, f"killed at step {step}"


def test_a_killed_repair_is_repaired(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """The repair itself may be killed at any step."""
    bundle, step = open_bundle(fresh(), make_bundle()), 0
    host = fresh()
    before = snapshot(Path(host.root))
    killed = True
    while killed:
        assert dies(lambda: install(host, bundle), 60)
        killed = dies(lambda: restart(host), step := step + 1)
        restart(host)
        assert snapshot(Path(host.root)) == before, f"killed at step {step}"
    assert step > 10


@pytest.mark.slow
def test_a_killed_upgrade_leaves_the_old_version(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """Killed at every step, an upgrade is taken back to the version that was in use."""
    old = open_bundle(fresh(), make_bundle())
    new = open_bundle(fresh(), make_bundle("0.2.0", {**FILES, "bin/km": b"\x7fELF new"}))
    host, step = fresh(), 0
    install(host, old)
    before = _without_state(host)
    while dies(lambda: install(host, new), step := step + 1):
        assert restart(host) == before, f"killed at step {step}"
    assert step > 30
    assert release.current_version(host) == "0.2.0"


def test_an_interrupt_takes_the_run_back(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """Ctrl-C in the middle leaves the host as before, at once."""
    host, bundle = fresh(), open_bundle(fresh(), make_bundle())
    before = snapshot(Path(host.root))

    def plan(report: Report) -> list[Change]:
        class Interrupted(File):
            kind = "interrupted"

            def is_pending(self, host: Host) -> bool:
                del host
                raise KeyboardInterrupt

        last = Interrupted("/etc/x", "part", "why")
        return [*release.plan(host, bundle, report), last]

    with pytest.raises(KeyboardInterrupt):
        perform(host, "install", plan)
    assert snapshot(Path(host.root)) == before


def test_a_run_that_cannot_be_taken_back_says_both(
    fresh: Callable[[], SmallHost], make_bundle: BundleMaker
) -> None:
    """A failure, and then a failure to undo, are both named; the next run continues with it."""
    host, bundle = fresh(), open_bundle(fresh(), make_bundle())
    before = snapshot(Path(host.root))
    config = host.path("/etc/docker/daemon.json")

    def plan(report: Report) -> list[Change]:
        changes = engines.plan(host, "docker", report)
        broken = release.plan(host, bundle, report)[0]

        class Breaking(File):
            kind = "breaking"

            def is_pending(self, host: Host) -> bool:
                del host
                config.write_text("no JSON")
                raise HostError("cannot go on", "the test says so", "nothing")

        return [*changes, broken, Breaking("/etc/x", "part", "why")]

    with pytest.raises(HostError, match="cannot go on: the test says so, and cannot edit"):
        perform(host, "install", plan)
    assert not host.path("/opt/kontain/versions/0.1.0").exists()
    config.write_text(CONFIG)
    restart(host)
    assert snapshot(Path(host.root)) == before
