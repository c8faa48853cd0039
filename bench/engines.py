# SPDX-License-Identifier: Apache-2.0
"""Measure one container, and one `exec`, by each engine, with and without krun; needs root, KVM.

Each round does everything once, in an order of its own; figures are minimum and median, and the ratios
are to the same by the backend without krun. A JSON file is written.
"""

import argparse
import json
import random
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

from lab import Lab  # noqa: E402 - found only now

BUDGETS = {
    "docker, kontain": "1.10 x; goal 1.05 x",
    "podman, kontain": "1.10 x; goal 1.05 x",
    "containerd, kontain": "1.2 x by minimum",
}


def took_ms(command: "list[str]") -> float:
    """Return the milliseconds that COMMAND takes, which must end well."""
    start = time.perf_counter()
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode != 0:
        raise SystemExit(f"{' '.join(command)} ended with {done.returncode}: {done.stderr!r}")
    return (time.perf_counter() - start) * 1e3


def measure(rounds: int) -> "dict[str, list[float]]":
    """Return the times of each way, in milliseconds."""
    times: dict[str, list[float]] = {}
    with tempfile.TemporaryDirectory(prefix="engines") as name, Lab(Path(name)) as lab:
        commands = {**lab.runs(), **lab.networks(), **lab.execs()}
        for number in range(rounds):
            for way in random.sample(list(commands), len(commands)):
                words = [word.replace("NAME", f"n{number}") for word in commands[way]]
                times.setdefault(way, []).append(took_ms(words))
    return {way: times[way] for way in commands}


def ratios(figures: "dict[str, float]") -> "dict[str, float]":
    """Return the ratio of each way with krun to the way before it, the backend's own."""
    names = list(figures)
    return {ours: figures[ours] / figures[its] for its, ours in zip(names[::2], names[1::2])}


def main() -> None:
    """Measure, print a table, and write the file."""
    parser = argparse.ArgumentParser(description="One container and one exec by each engine.")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "engines.json")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    times = measure(options.rounds)
    least = {way: min(taken) for way, taken in times.items()}
    medians = {way: statistics.median(taken) for way, taken in times.items()}
    by_least, by_median = ratios(least), ratios(medians)
    print(f"{'':34} {'minimum':>11} {'median':>11}  {'ratios':15}  budget".rstrip())
    for name in times:
        found = f"{by_least[name]:5.2f} {by_median[name]:5.2f} x" if name in by_median else ""
        row = f"{name:34} {least[name]:8.1f} ms {medians[name]:8.1f} ms  {found:15}"
        print(f"{row}  {BUDGETS.get(name, '')}".rstrip())
    results = {
        "minimum_ms": least,
        "medians_ms": medians,
        "ratios_by_minimum": by_least,
        "ratios": by_median,
    }
    options.output.write_text(json.dumps(results, indent=2) + "\n")


if __name__ == "__main__":
    main()
