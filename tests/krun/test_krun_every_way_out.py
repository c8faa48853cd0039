# SPDX-License-Identifier: Apache-2.0
"""Every way to run a program of an image: each runs it in a VM, or is refused."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from .support import FOREVER, ID, IN_A_VM, BundleFolder, Runtime, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

LOADER = "/lib64/ld-linux-x86-64.so.2"
KM = "/dev/.kontain/km"
UNAME = ["/bin/busybox", "uname", "-r"]

# What a payload may do by itself: see payloads/escapes.c; a path is where it copies the program.
WAYS = ["exec", "fork", "spawn", "fexecve", "proc-fd", "memfd", "memfd-exec", "memfd-path", "km",
        "/copy", "/scratch/copy", "/dev/copy", "/volume/copy", "/proc/self/fd/copy"]  # fmt: skip

COMMANDS = {
    "path": UNAME,
    "search": ["busybox", "uname", "-r"],
    "relative": ["./busybox", "uname", "-r"],
    "dots": ["/bin/../bin/./busybox", "uname", "-r"],
    "link": ["/bin/uname", "-r"],
    "link to link": ["/links/uname", "-r"],
    "folder by link": ["/folder/uname", "-r"],
    "script": ["/script"],
    "script without interpreter": ["/bare"],
    "shell": ["sh", "-c", "uname -r"],
    "volume": ["/volume/uname", "-r"],
    "proc": ["/proc/self/root/bin/uname", "-r"],
    "proc exe": ["/proc/self/exe", "uname", "-r"],
    "process 1": ["/proc/1/exe", *UNAME],
    "km": [KM, *UNAME],
    "km, options": [KM, "--", *UNAME],
    "loader": [LOADER, "/uname", "-r"],
    "dynamic": ["/uname", "-r"],
}


@pytest.fixture
def image(bundle: BundleFolder, payloads: Path, tmp_path: Path) -> BundleFolder:
    """Return a bundle with programs of every kind in many places."""
    root = bundle.rootfs
    (tmp_path / "volume").mkdir()
    shutil.copy("/bin/busybox", tmp_path / "volume" / "uname")
    shutil.copy(payloads / "escapes", root / "escapes")
    shutil.copy("/bin/uname", root / "uname")
    for folder in ("lib64", "lib/x86_64-linux-gnu", "links", "scratch"):
        (root / folder).mkdir(parents=True)
    shutil.copy(LOADER, root / "lib64")
    shutil.copy("/lib/x86_64-linux-gnu/libc.so.6", root / "lib/x86_64-linux-gnu")
    (root / "links/uname").symlink_to("/bin/uname")
    (root / "folder").symlink_to("bin")
    bundle.script("script", "#!/bin/sh\nuname -r\n")
    bundle.script("bare", "uname -r\n")
    volume = {"destination": "/volume", "type": "bind", "source": str(tmp_path / "volume")}
    bundle.doc["mounts"].append({**volume, "options": ["rbind", "exec"]})
    bundle.doc["root"]["readonly"] = False
    bundle.doc["process"]["cwd"] = "/bin"
    return bundle


def judge(status: int, output: str, *, must_run: bool) -> None:
    """Fail if a program ran outside a VM; MUST_RUN ran in one."""
    assert os.uname().release not in output.splitlines()
    if must_run:
        assert (status, output.endswith(f"{IN_A_VM}\n")) == (0, True), output
    else:
        assert status != 0 or output.endswith(f"{IN_A_VM}\n")


@pytest.mark.parametrize("name", COMMANDS)
def test_entry_point_and_exec(krun: Runtime, image: BundleFolder, name: str) -> None:
    """However a program is named, as an entry point or for an exec, it runs in a VM or not."""
    may_fail = name.startswith(("km", "proc", "script without"))
    done = krun("run", "-b", image.args(*COMMANDS[name]), "entry")
    judge(done.returncode, done.stdout, must_run=not may_fail)
    start(krun, image, "sleep", FOREVER)
    done = krun("exec", "--cwd=/bin", ID, *COMMANDS[name])
    judge(done.returncode, done.stdout, must_run=not may_fail)


def test_payload_starts_programs(krun: Runtime, image: BundleFolder) -> None:
    """A program that a payload starts in any way runs in a VM too."""
    start(krun, image, "sleep", FOREVER)
    for way in WAYS:
        done = krun("exec", ID, "/escapes", way, *UNAME)
        must_run = way not in ("km", "/proc/self/fd/copy")
        judge(done.returncode, done.stdout + done.stderr, must_run=must_run)


def test_second_create_on_the_bundle(krun: Runtime, image: BundleFolder) -> None:
    """A bundle that is used again, also at the same time, gives no second container a way out."""
    path = image.args("sleep", FOREVER)
    for name in ("one", "two"):
        assert krun.create("-b", path, name) == 0
        assert krun("start", name).returncode == 0
        assert krun("exec", name, *UNAME).stdout.endswith(f"{IN_A_VM}\n")


def test_dropped_privilege(krun: Runtime, image: BundleFolder) -> None:
    """A privileged container that the policy keeps cannot remount what is noexec."""
    krun.set_policy({"sys_admin": "drop"})
    caps = image.doc["process"]["capabilities"]
    for name in caps:
        caps[name] = [*caps[name], "CAP_SYS_ADMIN"]
    script = "/bin/busybox mount -o remount,bind,exec /; echo $?; grep CapEff /proc/self/status"
    (image.rootfs / "bin/grep").symlink_to("busybox")

    done = krun("run", "-b", image.args("sh", "-c", script), ID)
    assert done.stdout.splitlines()[0] != "0", done.stderr
    held = int(done.stdout.split("CapEff:")[1].split()[0], 16)
    assert not held & 1 << 21
