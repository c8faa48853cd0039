# SPDX-License-Identifier: Apache-2.0
"""Start N containers at once, through podman, docker, containerd and the runtime alone, with km and without.

Each burst starts N `run` commands together and waits for all: how many ended well, how long each
took, and containers a second. The engines are private ones, as in the tests of krun; needs root.
Figures go to a JSON file, the latencies and the throughput to two SVG files next to it.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "bench"))

import plot  # noqa: E402 - these are found only now
from lab import Lab  # noqa: E402

TIMEOUT_S = 300
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL}


def burst(command: "list[str]", names: "list[str]") -> "dict[str, Any]":
    """Run COMMAND once for each of NAMES, which takes the place of NAME in it, all at once."""
    start = time.perf_counter()
    left = {}
    for name in names:
        words = [word.replace("NAME", name) for word in command]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, **QUIET)  # type: ignore[call-overload]
        left[process.pid] = process
    took, errors = [], []
    while left:
        found = os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
        if found is None or found.si_pid not in left:
            continue
        process = left.pop(found.si_pid)
        errors += [] if process.wait() == 0 else [process.stderr.read().decode()[-300:]]
        took.append((time.perf_counter() - start) * 1e3)
        process.stderr.close()
    whole_s = time.perf_counter() - start
    return {
        "containers": len(names),
        "good": len(names) - len(errors),
        "error": errors[0] if errors else "",
        "p50_ms": statistics.median(took),
        "p90_ms": quantile(took, 0.9),
        "max_ms": max(took),
        "per_second": (len(names) - len(errors)) / whole_s,
    }


def quantile(values: "list[float]", share: float) -> float:
    """Return the value below or at which SHARE of VALUES lie: the nearest rank."""
    return sorted(values)[max(0, -int(-len(values) * share // 1) - 1)]


def chart(results: "dict[str, list[dict[str, Any]]]", member: str, title: str, unit: str) -> str:
    """Return the chart of one MEMBER of RESULTS over the number of containers."""
    series = {
        name: [(float(row["containers"]), float(row[member])) for row in rows]
        for name, rows in results.items()
    }
    return plot.lines(title, "containers at once", unit, series)


def write(results: "dict[str, list[dict[str, Any]]]", output: Path) -> None:
    """Write what is measured so far, and the plots: a run may be cut short."""
    output.write_text(json.dumps(results, indent=2) + "\n")
    for member, title, unit in (
        ("p50_ms", "Time of a container, median", "ms"),
        ("per_second", "Containers a second", "1/s"),
    ):
        path = output.with_name(f"{output.stem}-{member}.svg")
        path.write_text(chart(results, member, title, unit))


def main() -> None:
    """Measure every way in turn at each size, print a table, and write the files."""
    parser = argparse.ArgumentParser(description="Start many containers at once; needs root.")
    parser.add_argument("--counts", default="1,4,16,64,200", help="sizes of bursts")
    parser.add_argument("--through", default="", help="only ways that begin so, with commas")
    parser.add_argument("--output", type=Path, default=ROOT / "build" / "bench" / "burst.json")
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    results: dict[str, list[dict[str, Any]]] = {}
    with tempfile.TemporaryDirectory(prefix="burst") as name, Lab(Path(name)) as lab:
        for count in map(int, options.counts.split(",")):
            for way, command in lab.runs().items():
                if not way.startswith(tuple(options.through.split(","))):
                    continue
                names = [f"n{count}x{number}" for number in range(count)]
                row = burst(command, names)
                results.setdefault(way, []).append(row)
                print(
                    f"{way:16} {count:4} at once: {row['good']:4} good, p50 {row['p50_ms']:8.1f} ms, "
                    f"p90 {row['p90_ms']:8.1f} ms, {row['per_second']:6.1f}/s {row['error']}",
                    flush=True,
                )
                write(results, options.output)


if __name__ == "__main__":
    main()
