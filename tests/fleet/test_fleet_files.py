# SPDX-License-Identifier: Apache-2.0
"""A report of what others found: results of runs, and the logs of a cluster's nodes."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import Any
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("ansible_runner", reason="needs ansible-runner: run `make venv`")

from kontain_fleet.cli import main
from kontain_node.outcome import Outcome
from kontain_node.status import FAILED, INSTALLED, Status

RESULT = {"check": "kvm-device", "status": "pass", "found": "f", "cause": "c", "fix": "x"}
VERIFIED = {
    "results": [
        {**RESULT, "details": {}, "title": "t"},
        {**RESULT, "check": "proof-km", "details": {"run_ms": 2.5}},
    ],
    "facts": {"distribution": {"name": "Debian"}, "cpu": {"brand": "AMD", "flags": ["svm"]}},
}
INSTALLED_JSON = {"changes": [{"owner": "kontain", "kind": "tree", "path": "/p", "reason": "r"}]}


def done(found: Any, status: int = 0) -> subprocess.CompletedProcess[str]:
    """Return a verb that has ended and printed this."""
    return subprocess.CompletedProcess(["kontain"], status, json.dumps(found, indent=2), "")


def log(node: str, *attempts: tuple[Status, list[Any]]) -> str:
    """Return what the container `install` of a node's pod logs."""
    lines = ["$ kontain check --json", "{", ' "host": 1', "}", '{"verdict": "good"}']
    for status, printed in attempts:
        outcome = Outcome(node)
        for found in printed:
            outcome.take(done(found))
        lines.append(outcome.line(status))
    return "\n".join(lines) + "\n"


def report(folder: Path, *words: str) -> tuple[int, dict[str, Any]]:
    """Run `kontain fleet report`; return its status, and what it wrote for programs."""
    status = main(["report", *words, "--report", str(folder)])
    return status, dict(json.loads((folder / "report.json").read_text()))


def test_logs_of_nodes_become_a_report(tmp_path: Path) -> None:
    """Each node is a host with its last attempt, and with the results of a run by Ansible."""
    bad, good = Status(FAILED, "", "kvm: no.\nTo fix: x."), Status(INSTALLED, "1.0", usable=True)
    logs, results = tmp_path / "nodes.log", tmp_path / "results.jsonl"
    logs.write_text(
        log("b", (bad, [VERIFIED]), (good, [VERIFIED, INSTALLED_JSON])) + log("a", (bad, [{}]))
    )
    results.write_text('{"verb": "apply"}\n{"host": "c", "outcome": "good", "release": "1.0"}\n')
    status, found = report(tmp_path / "r", str(logs), str(results))
    hosts = {host["host"]: host for host in found["hosts"]}
    assert (status, found["counts"]) == (1, {"failed": 1, "changed": 1, "good": 1})
    assert hosts["a"]["message"] == bad.words
    assert (hosts["b"]["release"], hosts["b"]["cold_start_ms"]) == ("1.0", 2.5)
    assert [one["check"] for one in hosts["b"]["results"]] == ["kvm-device", "proof-km"]
    assert hosts["b"]["facts"] == {"distribution": {"name": "Debian"}, "cpu": {"brand": "AMD"}}
    assert hosts["b"]["changes"] == INSTALLED_JSON["changes"]
    assert "Debian" in (tmp_path / "r/report.html").read_text()


@pytest.mark.parametrize(
    "line",
    [
        '{"host": "a", "outcome": "good", "results": [1]}',
        '{"host": "a", "outcome": "good", "results": [{"check": "c"}]}',
        '{"host": "a", "outcome": "fine"}',
        '{"host": "a", "outcome": []}',
        '{"host": ["a"], "outcome": "good"}',
        '{"host": "a", "outcome": "good", "seconds": "long"}',
        '{"host": "a", "outcome": "good", "cold_start_ms": true}',
        '{"host": "a", "outcome": "good", "more": 1}',
        '{"host": "a", "outcome": "good", "seconds": NaN}',
        '{"host": "a", "outcome": "good", "cold_start_ms": Infinity}',
        '{"host": "a", "outcome": "good", "wave": -1}',
        f'{{"host": "a", "outcome": "good", "cold_start_ms": {10**400}}}',
        f'{{"host": "a", "outcome": "good", "facts": {{"x": {"[" * 900}{"]" * 900}}}}}',
        '{"a": ' * 100000,
        "no outcome at all",
        "",
    ],
)
def test_what_is_no_outcome_is_refused(
    line: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """A line of another form, and a file without any outcome: status 2, two lines, no report."""
    (tmp_path / "log").write_text(f"{line}\n")
    assert main(["report", str(tmp_path / "log"), "--report", str(tmp_path / "r")]) == 2
    first, second = capsys.readouterr().err.splitlines()
    assert first.startswith(f"kontain fleet: cannot read {tmp_path}/log")
    assert second.startswith("To fix: ")
    assert not (tmp_path / "r").exists()


@pytest.mark.parametrize("member", ["host", "release", "message"])
@pytest.mark.parametrize("character", ["\\u001b[2J", "\\u0000", "\\ud800", "\\uffff"])
def test_no_node_can_keep_the_report_from_others(
    member: str, character: str, tmp_path: Path
) -> None:
    """Characters that a page, XML or a terminal cannot have are question marks."""
    line = {"host": "a", "outcome": "failed", member: "xCy"}
    (tmp_path / "log").write_text(json.dumps(line).replace("C", character) + "\n")
    _, found = report(tmp_path / "r", str(tmp_path / "log"))
    assert found["hosts"][0][member].startswith("x?")
    suites = ET.fromstring((tmp_path / "r/report.xml").read_bytes())  # noqa: S314  our own
    assert len(suites.findall("testsuite")) == 1
    assert "x?" in (tmp_path / "r/report.html").read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["report"],
        ["report", "x", "-i", "a,"],
        ["check"],
        ["check", "x", "-i", "a,"],
        ["report", "/"],
    ],
)
def test_hosts_come_from_an_inventory_or_from_files(
    words: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    """One of the two, as the verb has it; else status 2 and nothing is asked."""
    assert main(words) == 2
    assert "To fix: " in capsys.readouterr().err
