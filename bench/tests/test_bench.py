# SPDX-License-Identifier: Apache-2.0
"""The programs of the measurements do what they say; how fast this host is, is no test."""

import json
import os
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
@pytest.mark.parametrize("mode", ["exit", "sync"])
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
    """One run gives a table and a file of every figure, with budgets beside km's."""
    if not (ROOT / "build/km/km").exists():
        pytest.skip("km is not built: run `make km`")
    program, results = ROOT / "bench" / "run.py", tmp_path / "results.json"
    ran = call(sys.executable, program, "--rounds", "3", "--calls", "100", "--output", results)
    assert (ran.returncode, ran.stderr) == (0, "")
    figures = json.loads(results.read_text())["figures"]
    assert [figure["name"] for figure in figures if figure["budget"]] == [
        "static musl hello, exec to reaped: km",
        "getpriority: km",
    ]
    assert all(figure["value"] > 0 for figure in figures)
    assert len(ran.stdout.splitlines()) == 1 + len(figures)
