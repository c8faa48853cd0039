# SPDX-License-Identifier: Apache-2.0
"""A run's report for a person, a program and a continuous integration."""

from __future__ import annotations

import io
import json
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest

pytest.importorskip("ansible_runner", reason="needs ansible-runner: run `make venv`")

from kontain_fleet.play import NO_ANSWER, outcome
from kontain_fleet.progress import Progress
from kontain_fleet.record import Outcome, Record
from kontain_fleet.report import Report, html, junit
from kontain_preflight.errors import HostError

HOSTILE = '<script>alert(1)</script>\x1b[31m & "quoted"'


def result(check: str, status: str = "pass", fix: str = "") -> dict[str, str]:
    """Return a result as the module host has it."""
    return {"check": check, "status": status, "found": HOSTILE, "cause": "why", "fix": fix}


@pytest.fixture
def report() -> Report:
    """A run of four hosts: one good, one refused, one out of reach, and one that was not reached."""
    outcomes = [
        Outcome(
            "a",
            "good",
            1,
            1.5,
            "0.1.0",
            2.5,
            results=[result("kernel"), result("selinux", "skip")],
            facts={"distribution": {"name": 'Debian "13"'}, "cpu": {"brand": "AMD <EPYC>"}},
        ),
        Outcome(
            "b",
            "failed",
            2,
            message="kvm-device: gone: no.\nTo fix: turn it on.",
            results=[result("kernel", "fail", "turn it on")],
        ),
        Outcome("c", "unreachable", 2, message="no route"),
    ]
    return Report(
        "apply",
        "2026-01-01T00:00:00Z",
        3.0,
        "b.tar.gz",
        "halted",
        ["a", "b", "c", "d"],
        {o.host: o for o in outcomes},
    )


def test_json_has_every_host(report: Report, tmp_path: Path) -> None:
    """The JSON names each host with its end, the bad ones first, and says that it is not good."""
    report.write(tmp_path)

    found = json.loads((tmp_path / "report.json").read_text(encoding="utf-8"))
    ends = [(host["host"], host["outcome"]) for host in found["hosts"]]
    assert ends == [("b", "failed"), ("c", "unreachable"), ("a", "good"), ("d", "not reached")]
    assert (found["good"], found["ended"]) == (False, "halted")
    assert found["counts"] == {"failed": 1, "unreachable": 1, "good": 1, "not reached": 1}


def test_page_is_one_file_and_hostile_text_is_text(report: Report) -> None:
    """The page fetches nothing, shows each failure's fix, and what a host said is never markup."""
    page = html(report)
    assert 'title="Debian &#34;13&#34;, AMD &lt;EPYC&gt;"' in page

    assert "<script" not in page
    assert "http" not in page
    assert "&lt;script&gt;" in page
    assert "turn it on." in page
    assert "see why `ssh c` fails." in page
    assert "2.5 ms" in page


def test_junit_counts_what_failed(report: Report) -> None:
    """Each host is a suite; a failed check and a host out of reach are failures, with their texts."""
    suites = ET.fromstring(junit(report))  # noqa: S314  # made here

    counts = {s.get("name"): (s.get("tests"), s.get("failures"), s.get("skipped")) for s in suites}
    assert counts == {
        "a": ("3", "0", "1"),
        "b": ("2", "2", "0"),
        "c": ("1", "1", "0"),
        "d": ("1", "0", "1"),
    }
    assert "turn it on" in str(suites.find("testsuite[@name='b']/testcase/failure").text)  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("member", "value"),
    [("results", "none"), ("results", [{"check": 1}]), ("cold_start_ms", "1"), ("release", {})],
)
def test_an_answer_of_another_form_is_a_failure(member: str, value: object) -> None:
    """A host that answers Ansible in a form of its own has failed, and is named in the report."""
    data = {"host": "a", "res": {"changed": False, "release": "1.0", member: value}}
    found = outcome("runner_on_ok", data, 1)
    assert (found.outcome, found.message) == ("failed", f"{NO_ANSWER}: {member}.")
    assert "is not of its form" in html(
        Report("apply", "", 1.0, "", "complete", ["a"], {"a": found})
    )


def test_progress_shows_no_control_characters() -> None:
    """A host's message cannot move the cursor of the operator's terminal."""
    stream = io.StringIO()
    Progress(2, 0, stream).add(Outcome("a\x1b[2J", "failed", message="it broke\x1b]0;x\x07"))
    assert "a?[2J: it broke?]0;x?" in stream.getvalue()
    assert "\x1b" not in stream.getvalue()


def test_an_empty_run_is_a_page_too() -> None:
    """A run that reached nobody can be looked at."""
    page = html(Report("check", "", 0, "", "interrupted", ["a"], {}))

    assert "not reached" in page


def test_a_record_goes_on_with_what_is_good(tmp_path: Path) -> None:
    """The next time leaves good hosts out; failures, and a line that was cut off, are not."""
    first = Record(tmp_path / "results.jsonl", {"verb": "apply"})
    first.begin()
    first.add(Outcome("a", "good"))
    first.add(Outcome("b", "failed", message="x"))
    with first.path.open("a", encoding="utf-8") as file:
        file.write('{"host": "c", "outc')

    again = Record(first.path, {"verb": "apply"})
    again.resume()

    assert list(again.outcomes) == ["a"]


def test_a_record_of_another_run_is_refused(tmp_path: Path) -> None:
    """To resume another run is an error that says what differs; without one there is none."""
    first = Record(tmp_path / "results.jsonl", {"verb": "apply", "kontain_bundle": "1"})
    with pytest.raises(HostError, match="no run to resume"):
        first.resume()
    first.begin()

    with pytest.raises(HostError, match="kontain_bundle differ"):
        Record(first.path, {"verb": "apply", "kontain_bundle": "2"}).resume()


class Terminal(io.StringIO):
    """A terminal, to write to."""

    def isatty(self) -> bool:
        """Say so."""
        return True


@pytest.mark.parametrize("kind", [io.StringIO, Terminal])
def test_progress_names_failures_at_once(kind: type[io.StringIO]) -> None:
    """On a terminal a line moves, elsewhere there are few lines; a failure comes with its fix."""
    stream = kind()
    progress = Progress(200, 0, stream)
    progress.start_wave(1)
    progress.add(Outcome("a", "failed", message="it broke\nTo fix: mend it."))
    for number in range(199):
        progress.add(Outcome(str(number), "good"))
    progress.end()

    said = stream.getvalue()
    assert "a: it broke\nTo fix: mend it.\n" in said
    assert "200 of 200 hosts, 1 failed, wave 1" in said
    if kind is io.StringIO:
        assert len(said.splitlines()) < 20
        assert "\r" not in said
