# SPDX-License-Identifier: Apache-2.0
"""Measure km, the host alone and the bare-KVM floor, in one run: `make bench`.

Each round measures in turn the programs that it compares. A ratio is that of the best rounds,
which a busy machine disturbs least; medians stand next to them. The table goes to standard output,
the figures to a JSON file, which bench/record.py puts into the documents. Budgets and goals are those of the design for the development machine:
they are shown next to the figures, and the reader judges.
"""

import argparse
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

import machine
from idle import bytes_of_one

ROOT = Path(__file__).resolve().parent.parent
PROGRAMS = ROOT / "build" / "bench"
KM = ROOT / "build" / "km" / "km"
PYTHON = "/usr/bin/python3"

Command = Sequence["str | Path"]

SHA256 = "import hashlib,time;d=bytes(1<<20);hashlib.sha256(d);t=time.perf_counter_ns();[hashlib.sha256(d) for _ in range(160)];print(time.perf_counter_ns()-t)"
LOOP = "import time;t=time.perf_counter_ns();x=0\nfor i in range(2000000): x+=i*i%7\nprint(time.perf_counter_ns()-t)"


@dataclass
class Figure:
    """One measured thing, its median and its best round, and how it compares."""

    name: str
    median: float
    best: float
    unit: str
    ratio: float
    to: str
    budget: str = ""
    goal: str = ""


@dataclass
class Case:
    """A program that prints nanoseconds, measured on the host and by km."""

    name: str
    program: Command
    budget: str = ""
    goal: str = ""


CASES = (
    Case("getpid", [PROGRAMS / "syscall", "{calls}", "getpid"], goal="2,000 ns"),
    *(
        Case(name, [PROGRAMS / "one_call", "{calls}", call], budget)
        for name, call, budget in (
            ("getpid of the library", "getpid", "0.1"),
            ("getppid", "getppid", "5"),
            ("fstat", "fstat", "5"),
            ("stat", "stat", "5"),
            ("pread", "pread", "5"),
            ("open, read, close", "open", "5"),
            ("pipe, there and back", "pipe", "5"),
            ("write, epoll_wait, read", "epoll", "3"),
        )
    ),
    Case("SHA-256, 160 MiB", [PYTHON, "-c", SHA256], "1.03", "1.01"),
    Case("Python loop", [PYTHON, "-c", LOOP], "1.03", "1.01"),
    Case("first touch, small pages", [PROGRAMS / "touch", "32", "small"], "3"),
    Case("first touch, a heap", [PROGRAMS / "touch", "32", "heap"], "3"),
    Case("first touch, huge pages", [PROGRAMS / "touch", "64", "huge"], "3", "1.2"),
    Case("one thread computes", [PROGRAMS / "tasks", "compute", "1"], "1.03", "1.01"),
    Case("two threads compute", [PROGRAMS / "tasks", "compute", "2"], "1.03", "1.01"),
    Case("thread, made and joined", [PROGRAMS / "tasks", "create", "50"]),
    Case("futex, there and back", [PROGRAMS / "tasks", "futex", "500"]),
    Case("fork, end and wait", [PROGRAMS / "tasks", "fork", "20"]),
)


def output(*command: "str | Path") -> str:
    """Return what a command prints; end this program when the command fails."""
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@contextmanager
def keeper(km: Path) -> Iterator[str]:
    """Run a keeper; yield the number of a descriptor that leads to it, which children inherit."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client,
    ):
        path = f"{folder}/keeper"
        with subprocess.Popen([km, "--keeper", path]) as process:
            while client.connect_ex(path):
                if process.poll() is not None:
                    sys.exit("bench: km does not become a keeper.")
                time.sleep(0.01)
            client.set_inheritable(True)
            yield str(client.fileno())
            process.terminate()


def in_turn(rounds: int, commands: Sequence[Command]) -> list[list[float]]:
    """Start each command in each round; the microseconds from before exec until reaped, of each."""
    words: list[str | Path] = [PROGRAMS / "spawn", str(rounds)]
    for command in commands:
        words += ["--", *command]
    with subprocess.Popen(words, stdout=subprocess.PIPE, text=True, close_fds=False) as process:
        printed = process.communicate()[0].splitlines()
    if process.returncode:
        sys.exit(process.returncode)
    return [
        list(column)
        for column in zip(*([float(word) for word in line.split()] for line in printed))
    ]


def figure(
    name: str, taken: list[float], unit: str, peer: "list[float] | None", to: str
) -> Figure:
    """Make a figure of what was taken in each round."""
    best = min(taken)
    ratio = best / min(peer) if peer else 1
    return Figure(name, statistics.median(taken), best, unit, ratio, to)


def cold_starts(km: Path, rounds: int) -> list[Figure]:
    """Measure the start and end of the smallest program, in microseconds."""
    hello, floor = PROGRAMS / "hello", PROGRAMS / "floor"
    commands: list[Command] = [[hello], [floor], [km, hello]]
    native, bare, alone = in_turn(rounds, commands)
    with keeper(km) as fd:
        kept_floor, kept = in_turn(rounds, [[floor], [km, "--keeper-fd", fd, hello]])
    name = "static musl hello"
    figures = [
        figure(f"{name}: native", native, "us", None, "native"),
        figure(f"{name}: floor", bare, "us", native, "native"),
        figure(f"{name}: km", alone, "us", bare, "floor"),
        figure(f"{name}: floor, with a keeper", kept_floor, "us", native, "native"),
        figure(f"{name}: km with the keeper", kept, "us", kept_floor, "floor"),
    ]
    figures[2].budget = "2,500 us"
    figures[4].goal = "1,000 us, 1.3"
    return figures


def program_starts(km: Path, rounds: int) -> list[Figure]:
    """Measure the start and end of programs of the distribution, in microseconds."""
    figures = []
    for command in (
        ["/bin/true"],
        ["/bin/sh", "-c", ":"],
        ["/bin/bash", "-c", ":"],
        [PYTHON, "-c", "pass"],
    ):
        native, in_vm = in_turn(rounds, [command, [km, *command]])
        name = " ".join(command)
        figures.append(figure(f"{name}: native", native, "us", None, "native"))
        figures.append(figure(f"{name}: km", in_vm, "us", native, "native"))
    return figures


def exits(km: Path, rounds: int, calls: str) -> list[Figure]:
    """Measure exits of a bare VM and a forwarded system call, in nanoseconds."""
    commands: dict[str, Command] = {
        "exit, bare": [PROGRAMS / "floor", "exit", calls],
        "exit, registers synchronized": [PROGRAMS / "floor", "sync", calls],
        "exit by SYSCALL, likewise": [PROGRAMS / "floor", "call", calls],
        "getpriority: native": [PROGRAMS / "syscall", calls],
        "getpriority: km, without a helper": [km, "--no-helper", PROGRAMS / "syscall", calls],
        "getpriority: km": [km, PROGRAMS / "syscall", calls],
    }
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(rounds):
        for name, command in commands.items():
            taken[name].append(float(output(*command)))
    bare = taken["exit, bare"]
    figures = [figure(name, times, "ns", bare, "bare exit") for name, times in taken.items()]
    figures[-1].budget, figures[-1].goal = "1.1", "3,000 ns"
    by_call = taken["exit by SYSCALL, likewise"]
    again = "getpriority: km, without a helper"
    figures.append(
        figure(
            f"{again}, relative to such an exit", taken[again], "ns", by_call, "exit by SYSCALL"
        )
    )
    return figures


def cases(km: Path, rounds: int, calls: str) -> list[Figure]:
    """Measure each case on the host and by km, in nanoseconds."""
    figures = []
    for case in CASES:
        command = [
            str(word).format(calls=calls) if word == "{calls}" else word for word in case.program
        ]
        native: list[float] = []
        in_vm: list[float] = []
        for _ in range(rounds):
            native.append(float(output(*command)))
            in_vm.append(float(output(km, *command)))
        figures.append(figure(f"{case.name}: native", native, "ns", None, "native"))
        figures.append(figure(f"{case.name}: km", in_vm, "ns", native, "native"))
        figures[-1].budget, figures[-1].goal = case.budget, case.goal
    return figures


def idle_memory(km: Path, count: int) -> list[Figure]:
    """Measure the memory of a VM that waits beyond that of its payload, in KiB; needs root."""
    try:
        native = bytes_of_one([PROGRAMS / "idle"], count)
        in_vm = bytes_of_one([km, PROGRAMS / "idle"], count)
    except OSError as error:
        print(f"bench: idle memory is not measured: {error}.", file=sys.stderr)
        return []
    more = (in_vm - native) / 1024
    return [
        Figure(
            "memory of an idle VM, beyond native",
            more,
            more,
            "KiB",
            in_vm / native,
            "native",
            "2,048 KiB",
            "1,024 KiB",
        )
    ]


def table(figures: list[Figure]) -> str:
    """Return the figures as aligned text."""
    rows = [("what", "median", "best", "ratio", "budget", "goal")]
    rows += [
        (
            one.name,
            f"{one.median:,.0f} {one.unit}",
            f"{one.best:,.0f} {one.unit}",
            f"{one.ratio:.3g} x {one.to}",
            one.budget,
            one.goal,
        )
        for one in figures
    ]
    widths = [max(map(len, column)) for column in zip(*rows)]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip() for row in rows
    )


def main() -> int:
    """Measure, print and write the figures."""
    parser = argparse.ArgumentParser(description="Measure km, the host alone and bare KVM.")
    parser.add_argument("--rounds", type=int, default=200, help="starts of each program")
    parser.add_argument("--calls", type=int, default=5000, help="system calls in a round")
    parser.add_argument("--km", type=Path, default=KM, help="another km, such as an older one")
    parser.add_argument(
        "--realtime", action="store_true", help="run before all else on a busy host; as root"
    )
    parser.add_argument("--output", type=Path, default=PROGRAMS / "results.json", help="JSON file")
    options = parser.parse_args()
    if not options.km.exists() or not os.access("/dev/kvm", os.R_OK | os.W_OK):
        print("bench: cannot measure: km or /dev/kvm is missing.", file=sys.stderr)
        print("To fix: run `make km`, on a host where `kontain check` is good.", file=sys.stderr)
        return 3
    subprocess.run(["make", "-s", "-C", ROOT / "bench"], check=True)
    if options.realtime:
        os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(10))
    few = max(options.rounds // 20, 3)
    figures = cold_starts(options.km, options.rounds) + program_starts(options.km, few)
    figures += (
        exits(options.km, few, str(options.calls))
        + cases(options.km, few, str(options.calls))
        + idle_memory(options.km, 8)
    )
    results = {"machine": machine.facts(), "figures": [asdict(one) for one in figures]}
    options.output.write_text(json.dumps(results, indent=2) + "\n")
    print(table(figures))
    return 0


if __name__ == "__main__":
    sys.exit(main())
