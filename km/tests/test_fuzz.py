# SPDX-License-Identifier: Apache-2.0
"""The coverage-guided fuzzers of km/fuzz find nothing, in a set number of executions."""

import shutil
import subprocess
from pathlib import Path

import pytest

PART = Path(__file__).resolve().parents[1]
TIMEOUT_S = 900


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
