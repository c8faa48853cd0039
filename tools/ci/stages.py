# SPDX-License-Identifier: Apache-2.0
"""Run targets of make one after the other: `python3 -m tools.ci.stages [--beside TARGET] TARGET...`.

Every stage runs, whatever became of the ones before. What they print passes through and is kept in
`build/log/TARGET.log`; the end is a table of times, and of what pytest said last in each stage.
The target after `--beside`, where it is one of them, runs while the others do, and is shown after
them. The exit status is 0 when all are good, else 1.
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
    """What became of a target."""

    name: str
    status: int
    seconds: float
    summaries: list[str]
    skips: list[str]


def run(name: str, *, show: bool = True) -> Stage:
    """Run a target, keep what it prints, and show it."""
    if show:
        print(f"\n*** {name}", flush=True)
    LOGS.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    lines = []
    with (
        (LOGS / f"{name}.log").open("w", encoding="utf-8") as log,
        subprocess.Popen(
            [os.environ.get("MAKE", "make"), "--no-print-directory", "--keep-going", name],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            text=True,
            errors="replace",
        ) as process,
    ):
        for line in process.stdout or ():
            if show:
                print(line, end="", flush=True)
            log.write(line)
            lines.append(line.rstrip("\n"))
    summaries = [found[1] for line in lines if (found := PYTEST_SUMMARY.match(line))]
    skips = [line for line in lines if SKIPPED.match(line)]
    return Stage(name, process.returncode, time.monotonic() - start, summaries, skips)


def report(stages: list[Stage]) -> str:
    """Return what was skipped, and a table with a line for each stage."""
    lines = ["", *(f"{stage.name}: {skip}" for stage in stages for skip in stage.skips), ""]
    for stage in stages:
        verdict = "good" if stage.status == 0 else f"failed (status {stage.status})"
        what = "; ".join([verdict, *stage.summaries])
        lines.append(f"{stage.name:<16} {stage.seconds:7.1f} s  {what}")
    return "\n".join(lines)


def main(arguments: list[str]) -> int:
    """Run the targets of the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("targets", nargs="+", metavar="TARGET")
    parser.add_argument("--beside", metavar="TARGET")
    options = parser.parse_args(arguments)
    start = time.monotonic()
    with ThreadPoolExecutor() as pool:
        beside = [
            pool.submit(run, name, show=False)
            for name in options.targets
            if name == options.beside
        ]
        stages = [run(name) for name in options.targets if name != options.beside]
        for stage in beside:
            stages.append(stage.result())
            print(
                f"\n*** {stages[-1].name}", (LOGS / f"{stages[-1].name}.log").read_text(), sep="\n"
            )
    print(report(stages))
    print(f"{'all':<16} {time.monotonic() - start:7.1f} s")
    return 1 if any(stage.status for stage in stages) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
