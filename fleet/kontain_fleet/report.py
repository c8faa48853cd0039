# SPDX-License-Identifier: Apache-2.0
"""The outcome of a run: a page to look at, JSON for programs, and JUnit for continuous integration."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Dict, List
from xml.etree import ElementTree as ET

from .record import Outcome

SCHEMA = 1
NOT_REACHED = "not reached"
TEMPLATE = Path(__file__).with_name("report.html.j2")


@dataclass
class Report:
    """A run's findings; `hosts` are all that it was for, in the inventory's order."""

    verb: str
    started: str  # ISO 8601, UTC
    seconds: float
    bundle: str
    ended: str  # "complete", "halted" or "interrupted"
    hosts: List[str]
    outcomes: Dict[str, Outcome]

    @property
    def rows(self) -> List[Outcome]:
        """One outcome for each host, those that were not reached too; the bad ones first."""
        rows = [self.outcomes.get(host) or Outcome(host, NOT_REACHED) for host in self.hosts]
        return sorted(rows, key=lambda row: (not row.is_bad, row.outcome == NOT_REACHED))

    @property
    def counts(self) -> Dict[str, int]:
        """How many hosts came to which end."""
        return dict(Counter(row.outcome for row in self.rows))

    @property
    def checks(self) -> List[str]:
        """The ids of all checks, in the order in which they are made."""
        longest = max(self.rows, key=lambda row: len(row.results), default=None)
        return [result["check"] for result in longest.results] if longest else []

    @property
    def is_good(self) -> bool:
        """Whether every host is as it should be."""
        return not any(row.is_bad or row.outcome == NOT_REACHED for row in self.rows)

    def as_dict(self) -> Dict[str, Any]:
        """Return what the JSON form holds."""
        return {
            "schema": SCHEMA,
            "verb": self.verb,
            "started": self.started,
            "seconds": self.seconds,
            "bundle": self.bundle,
            "ended": self.ended,
            "good": self.is_good,
            "counts": self.counts,
            "hosts": [asdict(row) for row in self.rows],
        }

    def write(self, folder: Path) -> None:
        """Write report.html, report.json and report.xml."""
        text = json.dumps(self.as_dict(), indent=1) + "\n"
        (folder / "report.json").write_text(text, encoding="utf-8")
        (folder / "report.xml").write_bytes(junit(self))
        (folder / "report.html").write_text(html(self), encoding="utf-8")


def html(report: Report) -> str:
    """Return the page; it needs no other file, and whatever a host said is only text in it."""
    import jinja2  # noqa: PLC0415  --help needs none

    environment = jinja2.Environment(
        autoescape=True, trim_blocks=True, lstrip_blocks=True, undefined=jinja2.StrictUndefined
    )
    template = environment.from_string(TEMPLATE.read_text(encoding="utf-8"))
    rows = report.rows
    cells = {row.host: {each["check"]: each for each in row.results} for row in rows}
    starts = sorted(row.cold_start_ms for row in rows if row.cold_start_ms is not None)
    return template.render(
        report=report,
        rows=rows,
        bad=[row for row in rows if row.is_bad],
        cells=cells,
        slowest=starts[-1] if starts else 0,
        median=starts[len(starts) // 2] if starts else None,
        releases=Counter(row.release or "none" for row in rows if row.results),
        waves=Counter(row.wave for row in rows if row.wave),
    )


def junit(report: Report) -> bytes:
    """Return a test suite for each host and a test case for each of its checks."""
    suites = ET.Element("testsuites", name=f"kontain fleet {report.verb}")
    for row in report.rows:
        suite = ET.SubElement(suites, "testsuite", name=row.host, time=str(row.seconds))
        _add_case(suite, "host", row)
        for result in row.results:
            case = ET.SubElement(suite, "testcase", classname=row.host, name=result["check"])
            if result["status"] == "fail":
                text = f"{result['found']}: {result['cause']}\nTo fix: {result['fix']}"
                ET.SubElement(case, "failure", message=result["found"]).text = text
            elif result["status"] == "skip":
                ET.SubElement(case, "skipped", message=result["found"])
        for kind, name in (("failures", "failure"), ("skipped", "skipped")):
            suite.set(kind, str(len(suite.findall(f"testcase/{name}"))))
        suite.set("tests", str(len(suite)))
    return bytes(ET.tostring(suites, encoding="utf-8", xml_declaration=True))


def _add_case(suite: ET.Element, name: str, row: Outcome) -> None:
    case = ET.SubElement(suite, "testcase", classname=row.host, name=name, time=str(row.seconds))
    if row.is_bad:
        ET.SubElement(case, "failure", message=row.outcome).text = row.message
    elif row.outcome == NOT_REACHED:
        ET.SubElement(case, "skipped", message=NOT_REACHED)
