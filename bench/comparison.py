# SPDX-License-Identifier: Apache-2.0
"""Compare the time of a start on the host, by km, by each runtime, and through each engine.

Each round does everything once, in turn, so that a busy machine disturbs all alike; it prints
medians. The engines are private ones, as in the tests of krun; needs root. Figures go to a JSON
file, which bench/record.py puts into the documents.
"""

import argparse
import json
import statistics
import tempfile
from pathlib import Path

import machine
import tables
from engines import took_ms
from lab import Lab

ROOT = Path(__file__).resolve().parent.parent
KM = str(ROOT / "build" / "km" / "km")
BUSYBOX = "/bin/busybox"


def medians(commands: "dict[str, list[str]]", rounds: int) -> "dict[str, float]":
    """Return the median milliseconds of each of COMMANDS; NAME in a word is a new name each time."""
    times: dict[str, list[float]] = {name: [] for name in commands}
    for number in range(rounds + 1):
        for name, command in commands.items():
            took = took_ms([word.replace("NAME", f"r{number}") for word in command])
            if number:  # the first round warms caches up
                times[name].append(took)
    return {name: statistics.median(values) for name, values in times.items()}


def starts(folder: Path, rounds: int, engine_rounds: int) -> "dict[str, dict[str, float]]":
    """Return what a start of `busybox true` takes, without engines and through them."""
    with Lab(folder) as lab:
        ways = lab.runs()
        engines = {name: command for name, command in ways.items() if ", " in name}
        alone = {
            "native": [BUSYBOX, "true"],
            "km": [KM, BUSYBOX, "true"],
            "crun": ways["crun"],
            "runc": ["runc" if word == "crun" else word for word in ways["crun"]],
            "krun (crun)": ways["krun"],
        }
        return {"alone": medians(alone, rounds), "engines": medians(engines, engine_rounds)}


def main() -> None:
    """Measure, print the tables, write the file."""
    parser = argparse.ArgumentParser(description="Compare native, km and containers; needs root.")
    parser.add_argument("--rounds", type=int, default=40)
    parser.add_argument("--engine-rounds", type=int, default=15)
    parser.add_argument(
        "--output", type=Path, default=ROOT / "build" / "bench" / "comparison.json"
    )
    options = parser.parse_args()
    options.output.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="comparison") as name:
        result = starts(Path(name), options.rounds, options.engine_rounds)
    kept = {"machine": machine.facts(), **result}
    options.output.write_text(json.dumps(kept, indent=2) + "\n")
    print(
        tables.starts(result["alone"], "crun"), tables.engine_starts(result["engines"]), sep="\n"
    )


if __name__ == "__main__":
    main()
