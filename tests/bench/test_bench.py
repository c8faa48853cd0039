# SPDX-License-Identifier: Apache-2.0
"""The programs of the measurements do what they say; how fast this host is, is no test."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def programs() -> Path:
    """The measuring programs, built."""
    for folder in ("toolchain", "bench"):
        subprocess.run(["make", "-s", "-C", ROOT / folder], check=True)
    return ROOT / "build" / "bench"


@pytest.fixture
def kvm() -> None:
    """Skip where this user has no KVM."""
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        pytest.skip("/dev/kvm cannot be used: `kontain check` says why")


def call(*command: "str | Path") -> "subprocess.CompletedProcess[str]":
    """Run a command to its end."""
    return subprocess.run(command, check=False, capture_output=True, text=True)


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize("mode", ["exit", "sync", "call"])
def test_floor_counts_real_exits(programs: Path, mode: str) -> None:
    """The floor program's guest leaves the VM each time: that costs more than a native call."""
    ran = call(programs / "floor", mode, "100")
    assert (ran.returncode, ran.stderr) == (0, "")
    assert int(ran.stdout) > 500


def test_spawn_times_each_command_in_turn(programs: Path) -> None:
    """A round is a line with the microseconds of each command, and their output is dropped."""
    ran = call(programs / "spawn", "3", "--", programs / "hello", "--", "sleep", "0.01")
    assert ran.returncode == 0
    rounds = [[float(word) for word in line.split()] for line in ran.stdout.splitlines()]
    assert len(rounds) == 3
    assert all(hello > 0 and sleep > 10_000 for hello, sleep in rounds)


@pytest.mark.parametrize("command", [["false"], ["./missing"], ["sh", "-c", "kill $$"]])
def test_spawn_measures_no_failure(programs: Path, command: list[str]) -> None:
    """A command that fails, or cannot be run, ends the measurement with its name."""
    ran = call(programs / "spawn", "3", "--", *command)
    assert ran.returncode == 1
    assert command[0] in ran.stderr


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm", "programs")
def test_bench_prints_and_writes_all_figures(tmp_path: Path) -> None:
    """One run gives a table and a file of every figure, with budgets next to km's."""
    if not (ROOT / "build/km/km").exists():
        pytest.skip("km is not built: run `make km`")
    program, results = ROOT / "bench" / "run.py", tmp_path / "results.json"
    ran = call(sys.executable, program, "--rounds", "3", "--calls", "100", "--output", results)
    assert ran.returncode == 0
    assert not ran.stderr or "idle memory is not measured" in ran.stderr
    figures = json.loads(results.read_text())["figures"]
    named = {figure["name"]: figure for figure in figures}
    assert named["static musl hello: km"]["budget"] == "2,500 us"
    assert named["static musl hello: km with the keeper"]["goal"] == "1,000 us, 1.3"
    assert named["getpriority: km"]["budget"] == "1.1"
    assert all(figure["best"] > 0 for figure in figures)
    assert all(figure["median"] >= figure["best"] for figure in figures)
    for name in (name for name in named if name.endswith(": km")):
        assert name.replace(": km", ": floor" if "hello" in name else ": native") in named
    assert len(ran.stdout.splitlines()) == 1 + len(figures)


@pytest.mark.parametrize(
    "command",
    [
        ["touch", "2", "small"],
        ["touch", "4", "huge"],
        ["touch", "1", "heap"],
        ["tasks", "create", "3"],
        ["tasks", "futex", "3"],
        ["tasks", "fork", "3"],
        ["syscall", "10", "getpid"],
        ["one_call", "10", "epoll"],
    ],
)
def test_a_program_prints_nanoseconds(programs: Path, command: list[str]) -> None:
    """A measure of the host and of km is one number."""
    ran = call(programs / command[0], *command[1:])
    assert (ran.returncode, ran.stderr) == (0, "")
    assert float(ran.stdout) > 0


@pytest.mark.parametrize("program", ["touch", "tasks", "syscall", "one_call"])
def test_a_program_says_how_it_is_used(programs: Path, program: str) -> None:
    """Without what it needs it measures nothing."""
    ran = call(programs / program)
    assert ran.returncode == 2
    assert ran.stderr.startswith(f"usage: {program} ")


def test_check_is_measured_beside_its_budget() -> None:
    """The table has a line for each command, with its ratio to a Python that does nothing."""
    ran = call(sys.executable, ROOT / "bench/check.py", "--rounds", "1")
    assert ran.returncode == 0, ran.stderr
    first, check, *_ = ran.stdout.splitlines()
    assert first.startswith("python3 -IS -c pass") and " 1.0 x " in first  # noqa: PT018  one line
    assert check.startswith("kontain check --no-proof") and "150 ms" in check  # noqa: PT018


def test_image_sizes_stand_beside_slim_ones(tmp_path: Path) -> None:
    """An image without a shell and a package manager is smaller than the slim one of its kind."""
    if os.geteuid() or not shutil.which("mmdebstrap"):
        pytest.skip("needs root and the Debian package mmdebstrap")
    output = tmp_path / "sizes.json"
    ran = call(sys.executable, ROOT / "bench/image_sizes.py", "base", "--output", output)
    assert (ran.returncode, ran.stderr) == (0, "")
    (sizes,) = json.loads(output.read_text())
    assert 0 < sizes["packed"] < sizes["slim_packed"] < sizes["slim_unpacked"]
    assert sizes["packed"] < sizes["unpacked"]


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
def test_snapshot_measures_three_ways_to_start() -> None:
    """Each program has its native start, its start in km and its resumed one."""
    command = [sys.executable, str(ROOT / "bench" / "snapshot.py"), "--rounds", "1"]
    printed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    lines = [line.split()[:2] for line in printed.splitlines()]
    assert lines[:4] == [["Python", way] for way in ("native", "km", "resumed", "snapshot")]


def test_calls_are_of_every_kind(programs: Path) -> None:
    """Each kind of system call has a line with what one takes."""
    ran = call(programs / "calls", "1")
    assert (ran.returncode, ran.stderr) == (0, "")
    kinds = dict(line.split() for line in ran.stdout.splitlines())
    assert kinds.keys() >= {"getpid", "stat", "open-read-close", "pipe", "epoll", "fork", "thread"}
    assert all(float(ns) > 0 for ns in kinds.values())


@pytest.mark.parametrize("program", sorted(path.name for path in (ROOT / "bench").glob("*.py")))
def test_each_program_starts_by_itself(program: str) -> None:
    """Each program of bench/ finds its modules without pytest's path, and prints its usage."""
    source = (ROOT / "bench" / program).read_text(encoding="utf-8")
    if "argparse" not in source:
        pytest.skip("it is a module, or takes files only")
    done = call(sys.executable, ROOT / "bench" / program, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert "usage:" in done.stdout
