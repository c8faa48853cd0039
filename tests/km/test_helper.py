# SPDX-License-Identifier: Apache-2.0
"""The helper: a payload with many system calls gets one, and notices it only by the time taken.

That each result is right is what the payload `helped` shows, and that a request can be forged in vain
`hostile_helper`; see payloads.py.
"""

import contextlib
import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

CGROUPS = Path("/sys/fs/cgroup")
NR_TGKILL = 234

two_cpus = pytest.mark.skipif(
    len(os.sched_getaffinity(0)) < 2,
    reason="a helper needs two CPUs: give this process another",
)


@pytest.fixture
def helped(build: Callable[..., Path]) -> Path:
    """Return a payload that makes many calls."""
    return build("helped")


@contextmanager
def calling(
    command: "Sequence[str | Path]",
    folder: Path,
    ends: bytes = b"signals: 0\ndone\n",
    case: str = "until-told",
) -> Iterator[int]:
    """Run a payload that makes calls until it gets a signal; yield its process."""
    with subprocess.Popen(
        [*command, case],
        cwd=folder,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    ) as process:
        stdin, stdout, stderr = pipes(process)
        try:
            assert stdout.readline() == b"ready\n", stderr.read()
            yield process.pid
            stdin.close()
            assert (stdout.read(), stderr.read(), process.wait(60)) == (ends, b"", 0)
        finally:
            process.kill()


def pipes(process: "subprocess.Popen[bytes]") -> tuple[IO[bytes], IO[bytes], IO[bytes]]:
    """Return the three standard pipes of a process."""
    assert process.stdin
    assert process.stdout
    assert process.stderr
    return process.stdin, process.stdout, process.stderr


def helpers(pid: int) -> list[int]:
    """Return the threads of a process that are helpers."""
    found = []
    for task in Path(f"/proc/{pid}/task").iterdir():
        with contextlib.suppress(FileNotFoundError):
            if (task / "comm").read_text() == "km-helper\n":
                found.append(int(task.name))
    return found


def wait_for_helper(pid: int) -> int:
    """Return the helper of a process once it has one."""
    for _ in range(1500):
        if found := helpers(pid):
            return found[0]
        time.sleep(0.02)
    pytest.fail("no helper came")


def reads(pid: int, tid: int) -> int:
    """Return how many calls that read a thread has made; proc_pid_io(5)."""
    words = Path(f"/proc/{pid}/task/{tid}/io").read_text().split()
    return int(words[words.index("syscr:") + 1])


def wait_for_reads(pid: int, tid: int, count: int, seconds: int = 30) -> None:
    """Return once the thread has made more than COUNT calls that read."""
    for _ in range(50 * seconds):
        if reads(pid, tid) > count:
            return
        time.sleep(0.02)
    pytest.fail(f"in {seconds} s the helper made {reads(pid, tid)} calls that read, not {count}")


def before_others() -> list[str]:
    """Return what starts a command before all other work, which may leave a helper no CPU."""
    first = ["chrt", "-f", "1"]
    return [] if subprocess.run([*first, "true"], check=False).returncode else first


@two_cpus
def test_who_makes_many_calls_is_helped(km: Path, helped: Path, tmp_path: Path) -> None:
    """One helper comes, and makes calls of the payload."""
    with calling([*before_others(), km, helped], tmp_path) as pid:
        tid = wait_for_helper(pid)
        wait_for_reads(pid, tid, 10)
        assert len(helpers(pid)) == 1


@two_cpus
def test_the_first_thread_of_several_is_helped(km: Path, helped: Path, tmp_path: Path) -> None:
    """A program that has other threads gets a helper for the first."""
    with calling([*before_others(), km, helped], tmp_path, case="until-told-beside") as pid:
        wait_for_helper(pid)


@two_cpus
def test_a_program_that_starts_is_helped(km: Path, helped: Path, tmp_path: Path) -> None:
    """A program's first calls have a helper where they are not as close together as in a row."""
    with calling([*before_others(), km, helped], tmp_path, b"done\n", "starting") as pid:
        assert helpers(pid)


@two_cpus
def test_a_program_that_starts_is_helped_again(km: Path, helped: Path, tmp_path: Path) -> None:
    """The helper of a program that starts makes most of its calls, which come a few at a time."""
    with calling([*before_others(), km, helped], tmp_path, b"done\n", "starting-in-groups") as pid:
        assert reads(pid, wait_for_helper(pid)) > 40


@two_cpus
def test_a_server_that_waits_for_clients_is_helped(km: Path, helped: Path, tmp_path: Path) -> None:
    """A program that makes some calls, waits a moment, and makes some again, is helped throughout."""
    with calling([*before_others(), km, helped], tmp_path, b"done\n", "serving") as pid:
        tid = wait_for_helper(pid)
        wait_for_reads(pid, tid, reads(pid, tid) + 10000, seconds=10)


@two_cpus
def test_the_helper_stays_while_threads_come_and_go(
    km: Path, helped: Path, tmp_path: Path
) -> None:
    """A program that makes some calls, makes a thread, and so on, keeps the helper that it has."""
    command: list[str | Path] = [*before_others(), km, helped]
    with calling(command, tmp_path, b"done\n", "serving-by-threads") as pid:
        tid = wait_for_helper(pid)
        wait_for_reads(pid, tid, reads(pid, tid) + 10000, seconds=10)


@two_cpus
def test_pipes_that_wait_are_served_too(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """The helper reads a pipe that waits, where there is something at once."""
    payload = build("helped_waits", "musl")
    with calling([*before_others(), km, payload], tmp_path, b"done\n") as pid:
        tid = wait_for_helper(pid)
        wait_for_reads(pid, tid, 100)


@two_cpus
def test_a_signal_that_meets_the_helper_is_the_payloads(
    km: Path, helped: Path, tmp_path: Path
) -> None:
    """A signal that is sent to the helper's thread is handled by the payload."""
    libc = ctypes.CDLL(None, use_errno=True)
    with calling([km, helped], tmp_path, b"signals: 1\ndone\n") as pid:
        tid = wait_for_helper(pid)
        for _ in range(50):
            assert libc.syscall(NR_TGKILL, pid, tid, signal.SIGBUS) == 0
            time.sleep(0.002)


@pytest.mark.parametrize("option", ["--no-helper", "--stats", "--trace=exit_group"])
def test_who_shall_have_no_helper_has_none(
    km: Path, helped: Path, tmp_path: Path, option: str
) -> None:
    """--no-helper keeps it away, and so do --stats and --trace, which tell of each call."""
    where: list[str | Path] = [] if option == "--no-helper" else ["-o", tmp_path / "report"]
    with calling([km, option, *where, helped], tmp_path) as pid:
        time.sleep(0.3)
        assert not helpers(pid)


def test_one_cpu_has_no_room_for_a_helper(km: Path, helped: Path, tmp_path: Path) -> None:
    """A process that has one CPU gets no helper."""
    with calling(
        ["taskset", "-c", str(min(os.sched_getaffinity(0))), km, helped], tmp_path
    ) as pid:
        time.sleep(0.3)
        assert not helpers(pid)


@contextmanager
def quota_of_one_cpu() -> Iterator[Path]:
    """Make a cgroup that may use one CPU; yield the file that takes its processes."""
    if os.geteuid():
        pytest.skip("a cgroup is made by root: run this as root")
    second = (CGROUPS / "cgroup.controllers").exists()
    group = (CGROUPS if second else CGROUPS / "cpu") / f"km-test-{os.getpid()}"
    try:
        if second:
            (CGROUPS / "cgroup.subtree_control").write_text("+cpu")
        group.mkdir()
    except OSError as error:
        pytest.skip(f"no cgroup can be made: {error}: run this where {CGROUPS} can be written")
    try:
        if second:
            (group / "cpu.max").write_text("100000 100000")
        else:
            (group / "cpu.cfs_quota_us").write_text("100000")
        yield group / "cgroup.procs"
    finally:
        group.rmdir()


def test_a_quota_of_one_cpu_has_no_room_for_a_helper(
    km: Path, helped: Path, tmp_path: Path
) -> None:
    """A process whose cgroup may use one CPU at a time gets no helper."""
    with quota_of_one_cpu() as procs:
        script = f'echo $$ >{procs} && exec "$@"'
        with calling(["sh", "-c", script, "sh", km, helped], tmp_path) as pid:
            time.sleep(0.3)
            assert not helpers(pid)
