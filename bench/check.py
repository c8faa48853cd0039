# SPDX-License-Identifier: Apache-2.0
"""Measure `kontain check`, which install.sh, Ansible and monitoring call, and print a table.

Calls are made in turn; figures are medians in milliseconds, from before a command is started until
it has ended, with the ratio to a Python that does nothing. Programs stand in the page cache.
"""

from __future__ import annotations

import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

KONTAIN = str(Path(__file__).resolve().parent.parent / "command/bin/kontain")
PYTHON = ("/usr/bin/python3", "-IS", "-c", "pass")
BASE = "python3 -IS -c pass"
COMMANDS = {
    BASE: PYTHON,
    "kontain check --no-proof": (KONTAIN, "check", "--no-proof"),
    "kontain check --json": (KONTAIN, "check", "--no-proof", "--json"),
    "kontain info": (KONTAIN, "info"),
}
BUDGETS = {"kontain check --no-proof": "150 ms; goal 60 ms"}
GOOD = (0, 1)  # with warnings


def took_ms(command: tuple[str, ...]) -> float:
    """Return the milliseconds that a command takes; end the program where it does not go well."""
    begin = time.perf_counter()
    done = subprocess.run(
        command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False, env={}
    )
    taken = (time.perf_counter() - begin) * 1e3
    if done.returncode not in GOOD:
        raise SystemExit(f"{' '.join(command)}: {os.fsdecode(done.stderr)}")
    return taken


def measure(rounds: int) -> dict[str, float]:
    """Return the medians by command."""
    times: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(rounds):
        for name, command in COMMANDS.items():
            times[name].append(took_ms(command))
    return {name: statistics.median(taken) for name, taken in times.items()}


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description="Measure `kontain check`.")
    parser.add_argument("--rounds", type=int, default=30)
    figures = measure(parser.parse_args().rounds)
    for name, ms in figures.items():
        print(
            f"{name:26} {ms:7.1f} ms  {ms / figures[BASE]:5.1f} x {BASE}  {BUDGETS.get(name, '')}"
        )


if __name__ == "__main__":
    main()
