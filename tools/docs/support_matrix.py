# SPDX-License-Identifier: Apache-2.0
"""Write docs/reference/support-matrix.md, and a table of docs/explanation/performance.md.

The command is `python3 -m tools.docs.support_matrix`.

The runs come from docs/reference/support-matrix.json, where `tools/vm/scenarios --record` keeps
each outcome; a run of its list that is not there is shown without one; families without a run come
from the roles' table of packages.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

from tools.vm.scenarios import RUNS

from . import role_readme

ROOT = Path(__file__).resolve().parents[2]
RECORD = ROOT / "docs" / "reference" / "support-matrix.json"
PAGE = RECORD.with_suffix(".md")
PERFORMANCE = ROOT / "docs" / "explanation" / "performance.md"
COUNTED = "km_on_vmx@bookworm-memory"
"""The run whose figures are instructions, by what takes them."""
COUNTS = re.compile(r"(?<=<!-- from the record -->\n\n)(\|.*\n)*")
"""Where they stand in the page: the table after this comment."""
PACKAGES = ROOT / "roles" / "packages" / "vars" / "main.yml"

RELEASES = {
    "bullseye": "Debian 11",
    "bookworm": "Debian 12",
    "bookworm-memory": "Debian 12",
    "trixie": "Debian 13",
    "trixie-programs": "Debian 13",
    "sid": "Debian unstable",
}
COLUMNS = {
    "kernel": "linux-image-cloud-amd64",
    "Python": "python3",
    "podman": "podman",
    "docker": "docker.io",
    "containerd": "containerd",
    "crun": "crun",
    "runc": "runc",
}
DISTRIBUTIONS = {
    "RedHat": "RHEL, CentOS Stream, Rocky, Alma",
    "Fedora": "Fedora",
    "Suse": "openSUSE, SLES",
    "Alpine": "Alpine",
    "Archlinux": "Arch",
}

HEAD = """\
# Support matrix

Made by `tools/docs/support_matrix.py`, which says from what; do not edit it.

## Run in virtual machines

Each line is a run of a scenario of `molecule/` on a whole host of that release, in a virtual machine with AMD's SVM, systemd and the release's own kernel and engines.
QEMU emulates its CPU, so the times are those of a CPU some ten times slower than yours, on two cores that may have had other work.
`km_on_vmx` is on CPUs with Intel's VMX, which Bochs emulates a hundred times slower: the release's kernel and Python alone, in memory.
There and in `km_on_svm` a test is a payload of km's tests, in one or several builds, which runs in km with each of its lists of arguments, and on the host where that is the judge.
"""
NOTHING = "No run is recorded yet: `make molecule-all` records them.\n"
ELSEWHERE = """\
## Not run here

For these distributions everything is written and tested against tables only, since no machine with their packages was at hand.
Ubuntu has Debian's names of packages, and is not run here either.
"""


def render(record: dict[str, dict[str, Any]], packages: dict[str, dict[str, list[str]]]) -> str:
    """Return the page."""
    parts = [HEAD]
    if record:
        parts += [_table(_hosts(record)), _table(_runs(record))]
    else:
        parts.append(NOTHING)
    parts += [ELSEWHERE, _table(_elsewhere(packages))]
    return "\n".join(parts)


def _table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, f"|{'---|' * len(rows[0])}")
    return "\n".join(lines) + "\n"


def _hosts(record: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return a row for each release: the versions of the engines that it has."""
    newest = {run["image"]: run["versions"] for run in _sorted(record)}
    rows = [["release", *COLUMNS]]
    for image in (name for name in RELEASES if name in newest):
        row = [_short(newest[image].get(package, "")) for package in COLUMNS.values()]
        rows.append([f"{RELEASES[image]} ({image})", *row])
    return rows


def _runs(record: dict[str, dict[str, Any]]) -> list[list[str]]:
    """Return a row for each run: its outcome; then those of which none is recorded."""
    rows = [["scenario", "release", "result", "tests", "time", "date"]]
    for run in _sorted(record):
        tests = [step for step in run["steps"] if "passed" in step]
        counts = [f"{sum(step[word] for step in tests)} {word}" for word in ("passed", "skipped")]
        failed = [step["name"] for step in run["steps"] if not step["good"]]
        rows.append(
            [
                f"`{run['scenario']}`",
                RELEASES[run["image"]],
                "good" if run["good"] else f"failed in {', '.join(failed) or 'no step'}",
                f"{', '.join(counts)}{'' if run['whole'] else ' (short set)'}{_compared(run)}",
                f"{run['seconds'] // 60} min {run['seconds'] % 60:02d} s",
                run["date"],
            ]
        )
    missing = sorted((run.scenario, run.image) for run in RUNS if run.name not in record)
    rows += [[f"`{name}`", RELEASES[image], "not recorded", "", "", ""] for name, image in missing]
    return rows


def _compared(run: dict[str, Any]) -> str:
    """Return how many programs a run compared, where it counted them."""
    figures = run.get("figures", {})
    if "programs" not in figures:
        return ""
    numbers = ", ".join(f"{figures[what]:,} {what}" for what in ("runs by km", "runs on the host"))
    return f": {figures['programs']} programs, {numbers}"


def with_counts(page: str, record: dict[str, dict[str, Any]]) -> str:
    """Return a page with the table of instructions that the record gives, where it has any."""
    figures = record.get(COUNTED, {}).get("figures", {}).get("instructions", {})
    rows = [["what", "instructions"], *([what, f"{count:,}"] for what, count in figures.items())]
    return COUNTS.sub(_table(rows), page) if figures else page


def _sorted(record: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    order = list(RELEASES)
    return sorted(record.values(), key=lambda run: (run["scenario"], order.index(run["image"])))


def _short(version: str) -> str:
    """Return the upstream part of a Debian version: 20.10.5 of 1:20.10.5+dfsg1-1."""
    return version.rpartition(":")[2].partition("-")[0].partition("+")[0].partition("~")[0]


def _elsewhere(packages: dict[str, dict[str, list[str]]]) -> list[list[str]]:
    """Return a row for each family without a run: the names of its packages."""
    programs = ("podman", "dockerd", "crun", "gcc", "musl-gcc")
    rows = [["distribution", *(f"`{program}`" for program in programs)]]
    for family, name in DISTRIBUTIONS.items():
        base = packages["RedHat"] if family == "Fedora" else {}
        known = {**base, **packages[family]}
        rows.append([name, *(" ".join(known[program]) or "none" for program in programs)])
    return rows


def main() -> int:
    """Write the pages and return the exit status."""
    record = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
    packages = role_readme.read_yaml(PACKAGES)["__packages_table"]
    PAGE.write_text(render(record, packages), encoding="utf-8")
    performance = PERFORMANCE.read_text(encoding="utf-8")
    PERFORMANCE.write_text(with_counts(performance, record), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
