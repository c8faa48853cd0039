# SPDX-License-Identifier: Apache-2.0
"""A configuration that cannot be changed where it is: the way out is named, and nothing is stuck."""

from __future__ import annotations

import errno
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kontain_host import engines
from kontain_host.errors import HostError, named
from kontain_host.transaction import perform, session

from .small_host import PYTHON_PATH, SmallHost, snapshot

KRUN = "/opt/kontain/bin/krun"
PLACES = {
    "read-only": (
        (
            "mkdir $R/ro; mount -t tmpfs none $R/ro; cp $R/daemon.json $R/ro; mount -o remount,ro $R/ro;"
            "ln -s /ro/daemon.json $R/etc/docker/daemon.json"
        ),
        (
            r"Read-only file system \(.*/ro/daemon.json\).\n"
            r"To fix: mount .*/ro read-write \(`mount -o remount,rw .*/ro`\), or, where a link leads"
        ),
    ),
    "bind mount": (
        "cp $R/daemon.json $R/etc/docker; mount --bind $R/daemon.json $R/etc/docker/daemon.json",
        (
            r"busy \(.*/etc/docker/daemon.json\).\nTo fix: change the file that is mounted at "
            r".*/etc/docker/daemon.json where it comes from \(`findmnt .*`\), or `umount"
        ),
    ),
    "full": (
        (
            "mount -t tmpfs -o size=16k none $R/etc/docker; cp $R/daemon.json $R/etc/docker;"
            "head -c 12k /dev/zero >$R/etc/docker/fill"
        ),
        (
            r"No space left on device \(.*/etc/docker/daemon.json\).\n"
            r"To fix: free some disk space on .*/etc/docker \(`df -h`\)"
        ),
    ),
    "no inode": (
        "mount -t tmpfs -o nr_inodes=2 none $R/etc/docker; cp $R/daemon.json $R/etc/docker",
        r"To fix: remove some files on .*/etc/docker, which has no inode left \(`df -i`\)",
    ),
}
SCRIPT = """
import re, subprocess, sys
from pathlib import Path
from tests.host.small_host import SmallHost, snapshot
from tests.host.test_hostile_places import PLACES, register, recover
name, root = sys.argv[1:]
prepare, wanted = PLACES[name]
host = SmallHost(Path(root))
host.path("/etc/docker").mkdir()
host.path("/daemon.json").write_text("{ }")
subprocess.run(["sh", "-ec", prepare], env={"R": root, "PATH": "/usr/bin:/bin"}, check=True)
before = snapshot(Path(root))
said = register(host, "docker")
assert re.search(wanted, said), said
assert snapshot(Path(root)) == before
recover(host)
assert register(host, "podman") == ""
"""


def register(host: SmallHost, engine: str) -> str:
    """Register the runtime in an engine; return the error, "" where there is none."""
    try:
        perform(host, engine, lambda report: engines.plan(host, engine, report))
    except HostError as error:
        return str(error)
    return ""


def recover(host: SmallHost) -> None:
    """Do what every command that changes the host does first."""
    with session(host):
        pass


@pytest.mark.needs_root
@pytest.mark.parametrize("place", list(PLACES))
def test_a_place_that_refuses_is_named_and_nothing_is_stuck(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], host: SmallHost, place: str
) -> None:
    """The message has the way out of this very place; all is as before; the next command works."""
    path = f"PYTHONPATH={PYTHON_PATH['PYTHONPATH']}"
    done = in_sandbox("env", path, "python3", "-c", SCRIPT, place, host.root)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs_root
def test_a_run_that_was_killed_before_it_wrote_is_recovered_read_only(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], host: SmallHost
) -> None:
    """The journal has an intent whose place is read-only by now: nothing is there to take back."""
    script = """
import os, subprocess, sys
from pathlib import Path
from tests.host.small_host import SmallHost
from kontain_host import changes, engines
from kontain_host.transaction import perform
from tests.host.test_hostile_places import recover
host = SmallHost(Path(sys.argv[1]))
place = host.path("/etc/containers")
subprocess.run(["mount", "-t", "tmpfs", "none", str(host.path("/etc"))], check=True)
(place / "containers.conf.d").mkdir(parents=True)
changes.write_atomic = lambda *_: os._exit(0)
if os.fork() == 0:
    perform(host, "x", lambda report: engines.plan(host, "podman", report))
os.wait()
subprocess.run(["mount", "-o", "remount,ro", str(host.path("/etc"))], check=True)
assert host.path("/var/lib/kontain/journal.jsonl").exists()
recover(host)
assert not host.path("/var/lib/kontain").exists()
"""
    path = f"PYTHONPATH={PYTHON_PATH['PYTHONPATH']}"
    done = in_sandbox("env", path, "python3", "-c", script, host.root)
    assert done.returncode == 0, done.stderr


@pytest.mark.needs_root
def test_an_immutable_file_is_named(host: SmallHost, tmp_path: Path) -> None:
    """chattr(1) is in the message, for the file and for its folder, also behind a link."""
    host = SmallHost(Path(host.root))
    folder = tmp_path / "docker"
    folder.mkdir()
    (folder / "daemon.json").write_text("{}")
    host.path("/etc/docker").symlink_to(folder)
    for place in (folder / "daemon.json", folder):
        if subprocess.run(["chattr", "+i", place], capture_output=True, check=False).returncode:
            pytest.skip("needs a file system with attributes, such as ext4")
        before = snapshot(Path(host.root))
        said = register(host, "docker")
        subprocess.run(["chattr", "-i", place], check=True)
        assert f"To fix: `chattr -i {place}`, which is immutable, then run this again" in said
        assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize(
    ("number", "place", "fix"),
    [
        (
            errno.EROFS,
            "/nix/store/abc/daemon.json",
            "declare it in the configuration of the system",
        ),
        (errno.EDQUOT, "/", "raise the disk quota on /"),
        (errno.ESTALE, "/", r"see what is wrong with / \(`dmesg`"),
        (errno.ENOTDIR, "/etc/docker", "move /etc/docker away"),
        (errno.EROFS, None, "mount that file system read-write"),
        (errno.EBUSY, None, "free it"),
    ],
)
def test_each_refusal_has_its_way_out(number: int, place: str | None, fix: str) -> None:
    """No message sends a person to a prefix for what is no prefix's."""
    with pytest.raises(HostError, match=f"To fix: {fix}") as caught, named("cannot do it"):
        raise OSError(number, "x", place)
    assert "prefix" not in str(caught.value)
