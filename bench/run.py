# SPDX-License-Identifier: Apache-2.0
"""Measure km beside native and the bare-KVM floor, in one run: `make bench`.

Figures are medians; what is compared is measured in turn, so that ratios hold on a busy machine.
The table goes to standard output, the figures to a JSON file. Budgets and goals are
those of the design for the development machine: they are shown beside the figures, and judged by
the reader.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build" / "bench"
KM = ROOT / "build" / "km" / "km"


@dataclass
class Figure:
    """One measured thing: its median, and how it compares."""

    name: str
    value: float
    unit: str
    ratio: float
    to: str
    budget: str


def output(*command: "str | Path") -> str:
    """Return what a command prints; end this program when the command fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


def cold_starts(rounds: int) -> list[Figure]:
    """Measure the time from before exec until reaped, in microseconds."""
    hello, floor = PROGRAMS / "hello", PROGRAMS / "floor"
    printed = output(
        PROGRAMS / "spawn", str(rounds), "--", hello, "--", floor, "--", KM, hello
    ).splitlines()
    native_us, floor_us, km_us = (
        statistics.median(column)
        for column in zip(*([float(word) for word in line.split()] for line in printed))
    )
    name = "static musl hello, exec to reaped"
    return [
        Figure(f"{name}: native", native_us, "us", 1, "native", ""),
        Figure(f"{name}: floor", floor_us, "us", floor_us / native_us, "native", ""),
        Figure(
            f"{name}: km", km_us, "us", km_us / floor_us, "floor", "2,500 us; goal 1,000 us, 1.3"
        ),
    ]


def system_calls(rounds: int, count: int) -> list[Figure]:
    """Measure one exit of a bare VM, and one forwarded system call, in nanoseconds."""
    commands = (
        ("exit, bare", [PROGRAMS / "floor", "exit"]),
        ("exit, registers synchronized", [PROGRAMS / "floor", "sync"]),
        ("getpriority: native", [PROGRAMS / "syscall"]),
        ("getpriority: km", [KM, PROGRAMS / "syscall"]),
    )
    taken: dict[str, list[float]] = {name: [] for name, _ in commands}
    for _ in range(rounds):
        for name, command in commands:
            taken[name].append(float(output(*command, str(count))))
    medians = {name: statistics.median(times) for name, times in taken.items()}
    bare = medians["exit, bare"]
    budgets = {"getpriority: km": "1.1; goal 3,000 ns"}
    return [
        Figure(name, value, "ns", value / bare, "bare exit", budgets.get(name, ""))
        for name, value in medians.items()
    ]


def table(figures: list[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [("what", "median", "ratio", "budget")]
    for figure in figures:
        ratio = f"{figure.ratio:.3g} x {figure.to}"
        rows.append((figure.name, f"{figure.value:,.0f} {figure.unit}", ratio, figure.budget))
    widths = [max(map(len, column)) for column in zip(*rows)]
    lines = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    ]
    return "\n".join(lines)


def main() -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description="Measure km beside native and bare KVM.")
    parser.add_argument("--rounds", type=int, default=200, help="starts of each program")
    parser.add_argument("--calls", type=int, default=5000, help="system calls in a round")
    parser.add_argument("--output", type=Path, default=PROGRAMS / "results.json", help="JSON file")
    options = parser.parse_args()
    if not KM.exists() or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("bench: cannot measure: km or /dev/kvm is missing.", file=sys.stderr)
        print("To fix: run `make km`, on a host where `kontain check` is good.", file=sys.stderr)
        return 3
    subprocess.run(["make", "-s", "-C", ROOT / "bench"], check=True)
    figures = cold_starts(options.rounds) + system_calls(
        max(options.rounds // 20, 3), options.calls
    )
    host = dict(zip(("system", "node", "kernel", "version", "machine"), os.uname()))
    del host["node"]
    results = {"host": host, "figures": [asdict(figure) for figure in figures]}
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
