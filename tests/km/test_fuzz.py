# SPDX-License-Identifier: Apache-2.0
"""The coverage-guided fuzzers of km/fuzz find nothing, in a set number of executions."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

PART = Path(__file__).resolve().parents[2] / "km"
TIMEOUT_S = 900
CALLS = 1000
"""Programs of calls that are run: some 10 s where nothing else runs."""
EDGES = 1500
"""The seeds alone reach about 1,200 of the monitor's edges, and the kept corpus 1,900."""


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in (PART / "fuzz").glob("*.c")))
def test_fuzzer_is_clean(name: str, tmp_path: Path) -> None:
    """From the kept corpus on, with a fixed seed, the fuzzer ends without a finding."""
    if not shutil.which("clang"):
        pytest.skip("clang is missing: install the packages clang and libclang-rt-dev")
    command = ["make", "-C", str(PART), f"fuzz-{name}", f"BUILD={tmp_path}"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=TIMEOUT_S, check=False)
    assert done.returncode == 0, done.stderr[-4000:]
    assert "Done 20000 runs" in done.stderr


@pytest.mark.slow
@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
def test_fuzzer_of_system_calls_is_clean(tmp_path: Path) -> None:
    """Programs of calls that AFL++ makes, guided by the monitor's coverage, make no monitor fail."""
    if not shutil.which("afl-fuzz"):
        pytest.skip("afl-fuzz is missing: install the package afl++")
    # What the programs make of System V is nobody's to remove: it ends with its namespace.
    apart = ["unshare", "--ipc"] if os.geteuid() == 0 else []
    make = ["make", "-C", str(PART), "fuzz-calls", f"BUILD={tmp_path}", f"FUZZ_CALLS={CALLS}"]
    done = subprocess.run(
        [*apart, *make],
        capture_output=True, text=True, errors="replace", timeout=TIMEOUT_S, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-4000:] + done.stderr[-4000:]
    found = tmp_path / "fuzz" / "calls" / "out" / "default"
    stats = dict(
        line.split(":", 1)
        for line in (found / "fuzzer_stats").read_text().splitlines()
        if ":" in line
    )
    stats = {name.strip(): value.strip() for name, value in stats.items()}
    assert int(stats["execs_done"]) >= CALLS
    assert int(stats["edges_found"]) > EDGES, "the monitor's coverage does not come through"
    assert stats["saved_crashes"] == "0", [
        path.read_bytes().hex() for path in found.glob("crashes/id*")
    ]
