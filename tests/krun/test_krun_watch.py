# SPDX-License-Identifier: Apache-2.0
"""`krun trace` and `krun gdb` show what a program in a container does, without a change of it."""

from __future__ import annotations

import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from .support import FOREVER, ID, IN_A_VM, BundleFolder, Runtime, add_user_namespace, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

TIMEOUT_S = 60


def test_trace_writes_each_call(krun: Runtime, bundle: BundleFolder) -> None:
    """The calls of a program in the container are on standard error; its status is krun's."""
    start(krun, bundle, "sleep", FOREVER)
    done = krun("trace", ID, "busybox", "uname", "-r")
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr
    assert 'uname({sysname="Linux", ' in done.stderr
    assert "+++ exited with 0 +++" in done.stderr
    assert krun("trace", ID, "sh", "-c", "exit 3").returncode == 3


def test_trace_of_some_calls_as_another_user(krun: Runtime, bundle: BundleFolder) -> None:
    """The options of exec hold, and --calls limits what is written."""
    start(krun, bundle, "sleep", FOREVER)
    done = krun("trace", "--calls=getuid", "--user=1000:100", ID, "busybox", "id", "-u")
    assert done.stdout == "1000\n", done.stderr
    assert "getuid() = 1000" in done.stderr
    assert "write(" not in done.stderr


def test_trace_of_the_containers_own_program(krun: Runtime, bundle: BundleFolder) -> None:
    """Without a program it is the container's own, once more, with its arguments."""
    script = f"mkdir /dev/shm/first 2>/dev/null && exec sleep {FOREVER}; echo again"
    pid = start(krun, bundle, "sh", "-c", script)
    made, end = Path(f"/proc/{pid}/root/dev/shm/first"), time.monotonic() + TIMEOUT_S
    while not made.exists() and time.monotonic() < end:
        time.sleep(0.05)
    done = krun("trace", "--calls=mkdir", ID)
    assert done.stdout == "again\n", done.stderr
    assert 'mkdir("/dev/shm/first", ' in done.stderr


@pytest.mark.parametrize("users", ["the host's", "its own"])
def test_gdb_debugs_a_program(users: str, krun: Runtime, bundle: BundleFolder) -> None:
    """Krun says how gdb gets at the program, which waits for it; afterwards nothing is left."""
    if not shutil.which("gdb"):
        pytest.skip("gdb is missing: install gdb")
    if users == "its own":
        add_user_namespace(bundle)
    pid = start(krun, bundle, "sleep", FOREVER)
    with subprocess.Popen(
        krun.command("gdb", ID, "busybox", "uname", "-r"),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        said = process.stderr.readline()
        found = re.search(r"-ex '(set sysroot (\S+))' -ex '(target remote (\S+))'", said)
        assert found, said + process.stderr.read()
        assert found[2] == f"/proc/{pid}/root"
        words = ["gdb", "-q", "-nx", "-batch", "-ex", found[1], "-ex", found[3]]
        words += ["-ex", "catch syscall uname", "-ex", "print $rip > 0", "-ex", "continue"]
        seen = subprocess.run(
            words, capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        stdout, stderr = process.communicate(timeout=TIMEOUT_S)
    assert "$1 = 1" in seen.stdout, seen.stdout + seen.stderr
    assert "exited normally" in seen.stdout
    assert (process.returncode, stdout.endswith(f"{IN_A_VM}\n")) == (0, True), stderr
    assert not Path(found[4]).parent.exists()


@pytest.mark.parametrize("verb", ["trace", "gdb"])
def test_what_cannot_be_watched(verb: str, krun: Runtime, bundle: BundleFolder) -> None:
    """No container, and no program, are krun's errors, and leave nothing behind."""
    assert "needs a container ID" in krun(verb).stderr
    assert f"container does not exist: {ID}" in krun(verb, ID, "true").stderr
    start(krun, bundle, "sleep", FOREVER)
    done = krun(verb, ID, "/nope")
    assert done.returncode == 127, done.stderr
    assert "/nope" in done.stderr
