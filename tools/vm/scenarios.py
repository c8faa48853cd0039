# SPDX-License-Identifier: Apache-2.0
"""Run scenarios one after the other, each on the distributions that it is for.

    tools/vm/scenarios                       those that a commit needs, as `make molecule`
    tools/vm/scenarios --all                 all of them, as `make molecule-all`
    tools/vm/scenarios install@bookworm...   these runs alone, each SCENARIO@IMAGE

Every run uses the cache of base images that the ones before left. However this ends, by Ctrl-C
too, no virtual machine of a run is left. The outcome of each run, with the time of each step and
the host's versions, is written to build/molecule/NAME.json; `--record` adds it to
docs/reference/support-matrix.json as well, which the page is made from. The exit status is 0 when
all runs are good, else 1; 2 for a wrong command line; 130 interrupted.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from . import recipes, vm
from .errors import VmError
from .image import ensure_image

ROOT = Path(__file__).resolve().parents[2]
SCENARIOS = ROOT / "molecule"
RESULTS = ROOT / "build" / "molecule"
RECORD = ROOT / "docs" / "reference" / "support-matrix.json"

COLOUR = re.compile(r"\x1b\[[0-9;]*m")
STEP = re.compile(r"^[A-Z]+ +\S+ ➜ (.+): (Executing|Executed: .*)$")
PYTEST = re.compile(r"\d (?:failed|passed|skipped).* in [\d.]+s")
COUNT = re.compile(r"(\d+) (failed|passed|skipped)")
KILL_TIMEOUT_S = 60  # its playbooks, and what they run, end first
TABULATED = (
    "linux-image-cloud-amd64", "python3", "systemd", "podman", "docker.io", "containerd", "crun",
    "runc",
)  # fmt: skip
"""Packages whose versions tell what a host was."""


@dataclass(frozen=True)
class Run:
    """A scenario on a host made from one base image."""

    scenario: str
    image: str
    lane: str = ""
    """Of what a commit needs, short or long; else `--all` runs it."""

    @property
    def name(self) -> str:
        """The run's name."""
        return f"{self.scenario}@{self.image}"


RUNS = (
    Run("install", "trixie", lane="long"),
    Run("km_on_svm", "trixie", lane="short"),
    Run("km_on_vmx", "bookworm-memory", lane="long"),
    Run("corpus_on_svm", "trixie-programs"),
    Run("krun_on_svm", "trixie"),
    Run("pods_on_svm", "trixie"),
    Run("examples_on_svm", "trixie"),
    Run("refuse_without_kvm", "trixie", lane="long"),
    Run("install", "bookworm"),
    Run("install", "bullseye"),
    Run("install", "sid"),
    Run("refuse_without_kvm", "bullseye"),
    Run("upgrade", "trixie"),
    Run("fleet", "trixie"),
)
"""All that there is to prove in virtual machines."""


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("runs", nargs="*", metavar="SCENARIO@IMAGE")
    parser.add_argument("--all", action="store_true", help="every run, each with all its tests")
    parser.add_argument("--lane", choices=["short", "long"], help="what is in this lane alone")
    parser.add_argument("--record", action="store_true", help="keep the results in docs/reference")
    options = parser.parse_args(arguments)
    known = {run.name: run for run in RUNS}
    known |= {
        f"{run.scenario}@{image}": Run(run.scenario, image)
        for run in RUNS
        for image in recipes.RECIPES
    }
    unknown = [name for name in options.runs if name not in known]
    if unknown:
        parser.error(f"there is no run {unknown[0]}: wanted of {', '.join(known)}")
    chosen = [known[name] for name in options.runs]
    chosen = chosen or [
        run for run in RUNS if options.all or (run.lane and run.lane == (options.lane or run.lane))
    ]
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # SIGINT is ignored in the background of a shell
        signal.signal(number, signal.default_int_handler)
    results = []
    try:
        for run in chosen:
            results.append(perform(run, whole=options.all))
            keep(results[-1], record=options.record)
    except KeyboardInterrupt:
        print("scenarios: interrupted.", file=sys.stderr)
        return 130
    finally:
        print(summary(results), flush=True)
    return 0 if all(result["good"] for result in results) else 1


def perform(run: Run, *, whole: bool) -> dict[str, Any]:
    """Run a scenario, show what it prints, and return what became of it."""
    print(f"\n*** {run.name}", flush=True)
    begin = time.monotonic()
    result: dict[str, Any] = {
        "scenario": run.scenario,
        "image": run.image,
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "whole": whole,
        "good": False,
        "steps": [],
    }
    try:
        image = ensure_image(run.image)
        result["versions"] = versions((image.folder / "packages.txt").read_text())
        figures = RESULTS / f"{run.name}.figures.json"
        figures.parent.mkdir(parents=True, exist_ok=True)
        figures.unlink(missing_ok=True)
        with molecule(run, whole=whole, KONTAIN_FIGURES=str(figures)) as process:
            watch(process, result)
            result["good"] = process.wait() == 0
        if figures.exists():
            result["figures"] = json.loads(figures.read_text(encoding="utf-8"))
    except VmError as error:
        print(error, file=sys.stderr)
    result["seconds"] = round(time.monotonic() - begin)
    return result


@contextmanager
def molecule(run: Run, *, whole: bool, **more: str) -> Iterator[subprocess.Popen[str]]:
    """Start molecule for a scenario; at the end neither it nor a VM of the scenario is left.

    Its tests may write what they measured, a JSON object, to the file KONTAIN_FIGURES.
    """
    environment = os.environ | {
        "MOLECULE_GLOB": "molecule/*/molecule.yml",
        "VM_IMAGE": run.image,
        "KONTAIN_VMS": "all" if whole else "short",
        **more,
    }
    process = subprocess.Popen(
        ["molecule", "test", "-s", run.scenario],
        cwd=ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,  # Ctrl-C reaches us alone: molecule is ended in order
    )
    try:
        yield process
    finally:
        _end(process)
        for name in machines(run.scenario):
            vm.stop_vm(name)


def _end(process: subprocess.Popen[str]) -> None:
    """End molecule in order, if it runs, with all that it started; kill the rest."""
    deadline = time.monotonic() + KILL_TIMEOUT_S
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
        while time.monotonic() < deadline:
            process.poll()  # else the group is there as long as its dead leader
            os.killpg(process.pid, 0)
            time.sleep(0.2)
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def machines(scenario: str) -> list[str]:
    """Return the names of a scenario's virtual machines."""
    text = (SCENARIOS / scenario / "hosts.yml").read_text(encoding="utf-8")
    return re.findall(r"^    ([a-z0-9-]+):", text, re.MULTILINE)


def watch(process: subprocess.Popen[str], result: dict[str, Any]) -> None:
    """Show what molecule prints, and note its steps with their times and tests."""
    begin = time.monotonic()
    for line in process.stdout or ():
        print(line, end="", flush=True)
        plain = COLOUR.sub("", line).strip("│ \n")
        step = STEP.match(plain)
        if step and step[2] == "Executing":
            begin = time.monotonic()
            result["steps"].append({"name": step[1], "good": False})
        elif step and result["steps"]:
            seconds = round(time.monotonic() - begin)
            result["steps"][-1] |= {"seconds": seconds, "good": "Failed" not in step[2]}
        elif PYTEST.search(plain) and result["steps"]:
            counts = {word: int(number) for number, word in COUNT.findall(plain)}
            result["steps"][-1] |= {"failed": 0, "passed": 0, "skipped": 0} | counts


def versions(packages: str) -> dict[str, str]:
    """Return the versions of the packages that tell, from what dpkg-query shows."""
    table = dict(line.split("\t") for line in packages.splitlines())
    return {name: table[name] for name in TABULATED if name in table}


def keep(result: dict[str, Any], *, record: bool) -> None:
    """Write what became of a run, where the next run of the same name replaces it."""
    name = f"{result['scenario']}@{result['image']}"
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / f"{name}.json").write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    if record:
        kept = json.loads(RECORD.read_text(encoding="utf-8")) if RECORD.exists() else {}
        text = json.dumps({**kept, name: result}, indent=1, sort_keys=True)
        RECORD.write_text(text + "\n", encoding="utf-8")


def summary(results: list[dict[str, Any]]) -> str:
    """Return a line for each run, then a summary in pytest's words."""
    lines = [""]
    for result in results:
        tests = [step for step in result["steps"] if "passed" in step]
        counts = ", ".join(
            f"{sum(step[what] for step in tests)} {what}"
            for what in ("failed", "passed", "skipped")
        )
        name = f"{result['scenario']}@{result['image']}"
        verdict = "good" if result["good"] else "FAILED"
        lines.append(f"{name:<30} {result['seconds']:5d} s  {verdict}; {counts}")
        lines += [f"    {step['name']}: {step.get('seconds', '?')} s" for step in result["steps"]]
    good = sum(result["good"] for result in results)
    lines.append(f"{good} passed, {len(results) - good} failed")
    return "\n".join(lines)
