# SPDX-License-Identifier: Apache-2.0
"""A container's limits leave krun and km their room, or an error names the limit."""

from __future__ import annotations

import json
import shutil
import time
from pathlib import Path

import pytest

from .support import BUSYBOX, FOREVER, ID, IN_A_VM, PATIENCE, BundleFolder, Runtime

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


def set_limit(bundle: BundleFolder, name: str, soft: int, hard: int | None = None) -> None:
    """Give the container's program one limit of getrlimit(2)."""
    hard = soft if hard is None else hard
    bundle.doc["process"]["rlimits"] = [{"type": name, "hard": hard, "soft": soft}]


def as_user(bundle: BundleFolder) -> None:
    """Let the program be one of a user who has no other."""
    bundle.doc["process"]["user"] = {"uid": 54321, "gid": 54321}
    bundle.doc["process"]["capabilities"] = {}


MEMORY = {"RLIMIT_AS": "v", "RLIMIT_DATA": "d"}
FILLS_BY = (
    "for m in 1 16 24 48 90; do /bin/busybox dd if=/dev/zero of=/dev/null bs=${m}M count=1; done"
)


@pytest.mark.parametrize("name", MEMORY)
@pytest.mark.parametrize("mib", [5, 20, 64])
def test_limits_of_memory_are_the_programs_alone(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path, name: str, mib: int
) -> None:
    """A program has all of its limit and no more, reads the limit that was set, and passes it on; so in an exec."""
    set_limit(bundle, name, mib << 20)
    shown = f"ulimit -{MEMORY[name]}; ulimit -H{MEMORY[name]}"
    script = f"{shown}; {FILLS_BY} 2>&1 | grep -c 'records in'"
    fit = sum(m < mib for m in (1, 16, 24, 48, 90))
    wanted = f"{mib << 10}\n{mib << 10}\n{fit}\n"
    done = krun("run", "-b", bundle.args("sh", "-c", script), ID)
    assert done.stdout == wanted, done.stderr
    path = tmp_path / "process.json"
    path.write_text(json.dumps(bundle.doc["process"]))
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0
    assert krun("start", ID).returncode == 0
    assert krun("exec", "--process", str(path), ID).stdout == wanted


@pytest.mark.parametrize("name", MEMORY)
def test_program_that_its_limit_has_no_room_for(
    krun: Runtime, bundle: BundleFolder, name: str
) -> None:
    """It ends as the kernel ends it, without a message of km's; so does each program that it starts."""
    set_limit(bundle, name, 0)
    done = krun("run", "-b", bundle.args("true"), ID)
    assert (done.returncode, done.stderr) == (139, "")
    bundle.doc["process"]["rlimits"] = []
    script = f"(ulimit -{MEMORY[name]} 1; /bin/true); echo $?"
    done = krun("run", "-b", bundle.args("sh", "-c", script), ID)
    assert done.stdout == "139\n", done.stderr


def test_direct_program_has_the_limits_that_were_given(
    krun: Runtime, bundle: BundleFolder
) -> None:
    """A program that the host's policy runs without a VM is judged by the kernel, by the limit that was set."""
    krun.set_policy({"direct": {"/bin/sh": str(BUSYBOX)}, "log": str(krun.policy.parent / "log")})
    limits = {"RLIMIT_AS": 32 << 20, "RLIMIT_DATA": 16 << 20, "RLIMIT_NPROC": 50}
    bundle.doc["process"]["rlimits"] = [
        {"type": name, "hard": value, "soft": value} for name, value in limits.items()
    ]
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0
    assert krun("start", ID).returncode == 0
    done = krun("exec", ID, "/bin/sh", "-c", "ulimit -v; ulimit -Hd; ulimit -Hu")
    assert done.stdout == "32768\n16384\n50\n", done.stderr


@pytest.mark.parametrize("name", MEMORY)
@pytest.mark.parametrize("soft", [0, 1 << 20, 5 << 20])
def test_memory_too_low_for_km_is_named(
    krun: Runtime, bundle: BundleFolder, name: str, soft: int
) -> None:
    """Where krun itself has a limit, which it may not raise, it is km's too: an error names it."""
    krun.before = ["prlimit", f"--{name[len('RLIMIT_') :].lower()}={8 << 30}", *krun.before]
    set_limit(bundle, name, soft)
    done = krun("run", "-b", bundle.args("true"), ID)
    assert "km needs 20 MiB more than the program" in done.stderr
    assert done.returncode not in (0, 139)


@pytest.mark.parametrize("most", [1, 2, 9])
@pytest.mark.parametrize("kind", ["fork", "vfork", "thread"])
def test_as_many_processes_as_a_user_may_have(
    krun: Runtime, bundle: BundleFolder, payloads: Path, kind: str, most: int
) -> None:
    """A user's limit lets a program make as many processes, or threads, as without a VM."""
    shutil.copy(payloads / "until_full", bundle.rootfs)
    as_user(bundle)
    set_limit(bundle, "RLIMIT_NPROC", most)
    path = bundle.args("/until_full", kind)
    inside = krun("run", "-b", path, ID)
    bare = krun.bare("run", "-b", path, f"{ID}-bare")
    assert bare.stdout == f"{kind}: {most - 1}, then Resource temporarily unavailable\n"
    assert (inside.stdout, inside.stderr) == (bare.stdout, bare.stderr)


@pytest.mark.parametrize("hard", [1, 2, 300])
def test_limit_of_processes_is_shown_as_given(
    krun: Runtime, bundle: BundleFolder, hard: int
) -> None:
    """A program reads the limit without KVM's room, may lower it, and may not raise it."""
    as_user(bundle)
    set_limit(bundle, "RLIMIT_NPROC", 1, hard)
    script = f"ulimit -u; ulimit -Hu; ulimit -u {hard + 1} || ulimit -u 1; ulimit -Hu"
    done = krun("run", "-b", bundle.args("sh", "-c", script), ID)
    assert done.stdout == f"1\n{hard}\n1\n", done.stderr
