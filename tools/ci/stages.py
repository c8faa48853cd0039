# SPDX-License-Identifier: Apache-2.0
"""Run targets of make: `python3 -m tools.ci.stages [--at-once N] [--lane LANE] TARGET...`.

Every stage runs, also after a failed one; N of them at a time, begun in their order. A stage's
output is shown whole when it ends, and kept in `build/log/LANE/TARGET.log`; the end is a table of
times, and of pytest's last line in each stage. LANE goes to make as a variable. The targets after
`--made` are there already: no stage makes them again. The exit status is 0 when all stages are
good, else 1.
"""

import argparse
import os
import re
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

LOGS = Path(__file__).resolve().parents[2] / "build" / "log"
PYTEST_SUMMARY = re.compile(r"^=+ (.* in [0-9.]+s.*) =+$")
SKIPPED = re.compile(r"^SKIPPED ")


@dataclass
class Stage:
    """The outcome of a target."""

    name: str
    status: int
    seconds: float
    output: str

    def summaries(self) -> list[str]:
        """Return what pytest said at its ends."""
        return [
            found[1] for line in self.output.splitlines() if (found := PYTEST_SUMMARY.match(line))
        ]

    def skips(self) -> list[str]:
        """Return what was skipped, with the reasons."""
        return [line for line in self.output.splitlines() if SKIPPED.match(line)]


def run(name: str, lane: str, made: list[str]) -> Stage:
    """Run a target, keep what it prints, and show it when it has ended."""
    log = LOGS / lane / f"{name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    print(f"*** {name} begins; see {log}", flush=True)
    start = time.monotonic()
    make = [os.environ.get("MAKE", "make"), "--no-print-directory", "--keep-going"]
    make += [f"--old-file={target}" for target in made]
    with log.open("w", encoding="utf-8") as file:
        status = subprocess.run(
            [*make, *([f"LANE={lane}"] if lane else []), name],
            check=False,
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=subprocess.STDOUT,
        ).returncode
    seconds = time.monotonic() - start
    stage = Stage(name, status, seconds, log.read_text(encoding="utf-8", errors="replace"))
    print(f"\n*** {name}\n{stage.output}*** {name} ended after {seconds:.0f} s\n", flush=True)
    return stage


def report(stages: list[Stage]) -> str:
    """Return what was skipped, and a table with a line for each stage."""
    lines = ["", *(f"{stage.name}: {skip}" for stage in stages for skip in stage.skips()), ""]
    for stage in stages:
        verdict = "good" if stage.status == 0 else f"failed (status {stage.status})"
        what = "; ".join([verdict, *stage.summaries()])
        lines.append(f"{stage.name:<16} {stage.seconds:7.1f} s  {what}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the targets of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    parser.add_argument("--at-once", type=int, default=1, metavar="N")
    parser.add_argument("--lane", default="", help="short or long")
    parser.add_argument("--made", action="append", default=[], metavar="TARGET")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with ThreadPoolExecutor(options.at_once) as pool:
        runs = [pool.submit(run, name, options.lane, options.made) for name in options.targets]
        stages = [one.result() for one in runs]
    print(report(stages))
    print(f"{'all':<16} {time.monotonic() - start:7.1f} s")
    return 1 if any(stage.status for stage in stages) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
