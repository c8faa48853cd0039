# SPDX-License-Identifier: Apache-2.0
"""Each test is in one lane, and the lanes together are all tests."""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import chain
from pathlib import Path

import pytest

from tests import lanes
from tools.vm import scenarios

ROOT = Path(__file__).resolve().parents[2]
STAGES = (
    "test-cluster",
    "test-parts",
    "test-km",
    "test-krun",
    "test-collection",
    "test-runenv",
    "test-docs",
)


MARKS = {
    "short": ["-m", "not long and not whole"],
    "long": ["-m", "long"],
    "whole": ["-m", "whole"],
}


def collected(*words: str) -> list[str]:
    """Return the names of the tests that pytest would run with these words."""
    command = [sys.executable, "-m", "pytest", "--collect-only", "-q", "-p", "no:cacheprovider"]
    said = subprocess.check_output([*command, *words], cwd=ROOT, text=True)
    return [line for line in said.splitlines() if "::" in line]


@pytest.mark.slow
def test_the_lanes_are_all_tests_and_share_none() -> None:
    """The lanes select all tests below tests/, each once."""
    with ThreadPoolExecutor() as pool:
        every, *lanes_of = pool.map(
            lambda words: collected(*words, "tests"), ([], *MARKS.values())
        )
    assert all(lanes_of)
    assert Counter(chain(*lanes_of)) == Counter(every)
    assert all(count == 1 for count in Counter(every).values())


@pytest.mark.slow
def test_each_line_of_the_table_names_a_test() -> None:
    """No line is of a test that is gone, or of tests that other lines name already."""
    tests = collected("tests")
    for lane in lanes.TABLES:
        named = [lanes.names_of(test, lane) for test in tests]
        alone = {names[0] for names in named if len(names) == 1}
        assert alone == set(lanes.patterns(lane))


def test_the_stages_have_each_folder_once() -> None:
    """In each lane, the stages of make run every folder of tests, and none twice."""
    folders = sorted(
        {str(path.parent.relative_to(ROOT)) for path in (ROOT / "tests").rglob("test_*.py")}
    )
    for lane, words in (*MARKS.items(), ("", [])):
        found = []
        for name in STAGES:
            make = ["make", "--no-print-directory", "--dry-run", f"LANE={lane}", name]
            printed = subprocess.check_output(make, cwd=ROOT, text=True)
            (command,) = (line for line in printed.splitlines() if " -m pytest " in line)
            marked = re.search(r"pytest .*(-m ('[^']+'|long|whole)) ", command)
            assert (shlex.split(marked[1]) if marked else []) == words
            found += re.findall(r"tests/\w+", command)
        assert sorted(found) == folders


def test_both_commands_run_each_stage() -> None:
    """`make test` and `make test-long` begin the same stages, and .ci/run calls both."""
    for target, lane in (("test", "short"), ("test-long", "long")):
        printed = subprocess.check_output(["make", "--dry-run", target], cwd=ROOT, text=True)
        command = next(line for line in printed.splitlines() if "tools.ci.stages" in line)
        words = command.partition(f"--lane {lane} ")[2].split()
        assert {*STAGES, "molecule"} <= set(words) <= {*STAGES, "molecule", "check"}
    called = re.findall(r"^make ([\w-]+)", (ROOT / ".ci/run").read_text(), re.MULTILINE)
    assert called == ["test", "test-long"]


def test_scenarios_of_a_commit_are_in_one_lane() -> None:
    """A virtual machine under SVM is in the short lane; the others that a commit needs are long."""
    short = [run.name for run in scenarios.RUNS if run.lane == "short"]
    assert short == ["km_on_svm@trixie"]
    assert {run.lane for run in scenarios.RUNS} == {"short", "long", ""}
