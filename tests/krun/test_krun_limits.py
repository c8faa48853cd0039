# SPDX-License-Identifier: Apache-2.0
"""A container's limits leave krun and km their room, or an error names the limit."""

from __future__ import annotations

import shutil
import time
from pathlib import Path

import pytest

from .support import FOREVER, ID, IN_A_VM, PATIENCE, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

CGROUPS = ("/sys/fs/cgroup", "/sys/fs/cgroup/pids")


def limit_processes(bundle: BundleFolder, limit: int) -> None:
    """Let the container have LIMIT processes."""
    bundle.doc["linux"].setdefault("resources", {})["pids"] = {"limit": limit}


@pytest.mark.parametrize("limit", [1, 2, 4, 7])
def test_few_processes_are_enough(krun: Runtime, bundle: BundleFolder, limit: int) -> None:
    """A program alone needs one, and neither krun nor KVM needs any of the container's."""
    limit_processes(bundle, limit)
    done = krun("run", "-b", bundle.args("uname", "-r"), ID)
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


@pytest.mark.parametrize("limit", [1, 2, 9])
@pytest.mark.parametrize("kind", ["fork", "vfork", "thread"])
def test_as_many_processes_as_the_limit_says(
    krun: Runtime, bundle: BundleFolder, payloads: Path, kind: str, limit: int
) -> None:
    """A fork, a vfork and a new thread fail at once, and at the same number as under the backend."""
    shutil.copy(payloads / "until_full", bundle.rootfs)
    limit_processes(bundle, limit)
    path = bundle.args("/until_full", kind)
    inside = krun("run", "-b", path, ID)
    bare = krun.bare("run", "-b", path, f"{ID}-bare")
    assert bare.stdout == f"{kind}: {limit - 1}, then Resource temporarily unavailable\n"
    assert (inside.stdout, inside.stderr) == (bare.stdout, bare.stderr)


def of_group(krun: Runtime, name: str) -> list[str]:
    """Return what the control group of the container's processes has in its file NAME."""
    lines = Path(f"/proc/{krun.state(ID)['pid']}/cgroup").read_text().splitlines()
    group = next(line.split(":")[2] for line in lines if line.split(":")[1] in ("pids", ""))
    found = [Path(f"{root}{group}/{name}") for root in CGROUPS]
    return [file.read_text() for file in found if file.exists()]


def test_an_exec_has_the_rest_of_the_limit(
    krun: Runtime, bundle: BundleFolder, payloads: Path
) -> None:
    """A program that is started in a container fills it up to the number of the container."""
    shutil.copy(payloads / "until_full", bundle.rootfs)
    limit_processes(bundle, 20)
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0
    assert krun("start", ID).returncode == 0
    done = krun("exec", ID, "/until_full", "fork")
    assert done.stdout == "fork: 18, then Resource temporarily unavailable\n", done.stderr


def test_programs_that_wait_count_once(krun: Runtime, bundle: BundleFolder) -> None:
    """The processes of km at a program's start are gone when it waits: 20 programs are 20."""
    limit_processes(bundle, 100)
    script = "for i in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19; do sleep 300 & done; wait"
    assert krun.create("-b", bundle.args("sh", "-c", script), ID) == 0
    assert krun("start", ID).returncode == 0
    end = time.monotonic() + 20 * PATIENCE
    while of_group(krun, "pids.current") != ["20\n"]:
        assert time.monotonic() < end, of_group(krun, "pids.current")
        time.sleep(0.2)


FILLS = {
    "doubling": ("sh", "-c", "a=x; while :; do a=$a$a; done"),
    "lines": ("/bin/busybox", "tail", "/dev/zero"),
    "children": (
        "sh",
        "-c",
        "for i in 1 2 3; do /bin/busybox tail /dev/zero & done; wait; exit 9",
    ),
}


@pytest.mark.parametrize("kind", FILLS)
def test_full_memory_ends_it_soon(krun: Runtime, bundle: BundleFolder, kind: str) -> None:
    """A program that fills the container's memory is killed in seconds, as it is without a VM."""
    bundle.doc["linux"].setdefault("resources", {})["memory"] = {"limit": 64 << 20}
    path = bundle.args(*FILLS[kind])
    begin = time.monotonic()
    done = krun("run", "-b", path, ID)
    assert time.monotonic() - begin < 15 * PATIENCE
    assert done.returncode == krun.bare("run", "-b", path, f"{ID}-bare").returncode, done.stderr


def test_a_limit_that_is_seldom_reached_stays(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path
) -> None:
    """An engine's limit is the control group's as it is, until an update."""
    limit_processes(bundle, 2048)
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0
    assert of_group(krun, "pids.max") == ["2048\n"]
    limits = tmp_path / "limits.json"
    limits.write_text('{"pids": {"limit": 20}}')
    done = krun("update", "--resources", str(limits), ID)
    assert of_group(krun, "pids.max") == ["22\n"], done.stderr
    for asked, found in (("30", "32\n"), ("300", "300\n")):
        done = krun("update", f"--pids-limit={asked}", ID)
        assert of_group(krun, "pids.max") == [found], done.stderr
    assert krun("update", "--pids-limit", "few", ID).returncode == 1


@pytest.mark.parametrize("name", ["RLIMIT_DATA", "RLIMIT_AS"])
@pytest.mark.parametrize("limit", [0, 1 << 20, 5 << 20])
def test_memory_too_low_for_km_is_named(
    krun: Runtime, bundle: BundleFolder, name: str, limit: int
) -> None:
    """Where km cannot even be loaded krun says which limit it is, and else km does."""
    bundle.doc["process"]["rlimits"] = [{"type": name, "hard": limit, "soft": limit}]
    done = krun("run", "-b", bundle.args("true"), ID)
    assert "km needs 20 MiB more than the program" in done.stderr
    assert done.returncode not in (0, 139)


def test_one_process_is_too_few_for_a_user(krun: Runtime, bundle: BundleFolder) -> None:
    """Where there is no room for KVM's thread, km says so, and which limits there are, and ends."""
    bundle.doc["process"]["user"] = {"uid": 54321, "gid": 54321}
    bundle.doc["process"]["capabilities"] = {}
    bundle.doc["process"]["rlimits"] = [{"type": "RLIMIT_NPROC", "hard": 1, "soft": 1}]
    done = krun("run", "-b", bundle.args("uname", "-r"), ID)
    assert done.returncode == 125
    assert "a program in a VM counts as two" in done.stderr
    assert "--pids-limit" in done.stderr


def test_soft_limit_of_processes_leaves_room(krun: Runtime, bundle: BundleFolder) -> None:
    """A user's soft limit does not keep km from making its VM, and is the payload's afterwards."""
    bundle.doc["process"]["user"] = {"uid": 54321, "gid": 54321}
    bundle.doc["process"]["capabilities"] = {}
    bundle.doc["process"]["rlimits"] = [{"type": "RLIMIT_NPROC", "hard": 2, "soft": 1}]
    done = krun("run", "-b", bundle.args("sh", "-c", "ulimit -u; ulimit -Hu"), ID)
    assert done.stdout == "1\n2\n", done.stderr
