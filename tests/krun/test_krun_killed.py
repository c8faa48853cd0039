# SPDX-License-Identifier: Apache-2.0
"""After any process is killed, nothing is left that `delete --force` or the engine keeps."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from .engines import DEBIAN, Engine
from .support import FOREVER, ID, PATIENCE, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

POINTS = 10
MONITORS = ("conmon", "containerd-shim-runc-v2")


def command_lines() -> Iterator[tuple[int, list[str]]]:
    """Yield each process of the host with its arguments."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with contextlib.suppress(OSError):  # it may have ended
            words = path.read_bytes().decode(errors="replace").split("\0")
            yield int(path.parent.name), words


def processes(word: str) -> list[int]:
    """Return the processes of the host that have WORD among their arguments."""
    return [pid for pid, words in command_lines() if word in words]


def wait_until_gone(word: str) -> None:
    """Wait until no process has WORD among its arguments."""
    end = time.monotonic() + 30 * PATIENCE
    while left := processes(word):
        assert time.monotonic() < end, left
        time.sleep(0.1)


def test_create_that_is_killed(krun: Runtime, bundle: BundleFolder) -> None:
    """At whatever moment a create is killed, `delete --force` leaves no process and no state."""
    mark = f"31{os.getpid()}"
    path = bundle.args("sleep", mark)
    start = time.monotonic()
    assert krun.create("-b", path, ID) == 0
    whole_s = time.monotonic() - start
    krun("delete", "--force", ID)
    for point in range(POINTS):
        process = subprocess.Popen(
            krun.command("create", "-b", path, ID),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        time.sleep(whole_s * (0.4 + 0.7 * point / POINTS))
        process.kill()
        process.wait()
        done = krun("delete", "--force", ID)
        assert (done.returncode, done.stderr) == (0, "")
        wait_until_gone(mark)
        assert not krun.root.exists() or not list(krun.root.iterdir())
        own = krun.root.with_name(f"{krun.root.name}.bundles")
        assert not own.exists() or not list(own.iterdir())
        assert str(bundle.path) not in Path("/proc/self/mountinfo").read_text()


def test_what_a_failed_create_left_is_swept(krun: Runtime, bundle: BundleFolder) -> None:
    """A backend that refuses a bundle leaves what krun made for it, until the next create."""
    if krun.backend != "runc":
        pytest.skip("crun is given nothing on a file system")
    bundle.doc["hostname"] = 3
    assert krun.create("-b", bundle.args("true"), "refused") == 1
    bundle.doc["hostname"] = "name"
    assert krun.create("-b", bundle.args("sleep", FOREVER), "kept") == 0
    assert krun.create("-b", bundle.args("true"), "other") == 0

    own = krun.root.with_name(f"{krun.root.name}.bundles")
    assert sorted(path.name for path in own.iterdir()) == ["kept", "other"]


def test_payload_that_is_killed(engine: Engine) -> None:
    """A container whose first process is killed from the host has ended, and can be removed."""
    mark = f"32{os.getpid()}"
    container = engine.container("run", "-d", DEBIAN, "sleep", mark).stdout.strip()
    pid = engine("inspect", "--format={{.State.Pid}}", container).stdout.strip()

    os.kill(int(pid), signal.SIGKILL)
    assert engine("wait", container).stdout.strip() == "137"
    assert engine("rm", container).returncode == 0
    wait_until_gone(mark)


def test_monitor_that_is_killed(engine: Engine) -> None:
    """When the engine's monitor of a container is killed, its removal still ends the payload."""
    mark = f"33{os.getpid()}"
    container = engine.container("run", "-d", DEBIAN, "sleep", mark).stdout.strip()
    (pid,) = monitors(container)

    os.kill(pid, signal.SIGKILL)
    time.sleep(PATIENCE)
    done = engine("rm", "--force", container)
    assert done.returncode == 0, done.stderr
    wait_until_gone(mark)


def monitors(container: str) -> list[int]:
    """Return the process that an engine has for CONTAINER: conmon, or containerd's shim."""
    return [
        pid
        for pid, words in command_lines()
        if container in words and Path(words[0]).name in MONITORS
    ]
