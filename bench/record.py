# SPDX-License-Identifier: Apache-2.0
"""Put the figures of runs into the documents: `python3 bench/record.py [PROGRAM FILE]...`.

A FILE is the JSON of a run of bench/PROGRAM.py, where PROGRAM is peers, comparison or run. It goes
to docs/explanation/figures.json, the one home of these figures; from there come the plots, and in
PAGES the text after each comment `<!-- figures: NAME -->`. Without arguments they are made again.
"""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path

import machine
import plot
import tables

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ROOT = Path(__file__).resolve().parent.parent
RECORD = ROOT / "docs" / "explanation" / "figures.json"
PAGES = ("README.md", "docs/explanation/comparison.md", "docs/explanation/performance.md")
PROGRAMS = ("peers", "comparison", "run")
BLOCK = re.compile(r"(?<=<!-- figures: )(?P<name>[a-z ]+)( -->\n\n)(?:.+\n)*")


def texts(record: dict[str, Any]) -> dict[str, str]:
    """Return the text of each name from the runs in the record."""
    made = {
        f"{program} machine": machine.sentence(run["machine"]) + "\n"
        for program, run in record.items()
    }
    if "peers" in record:
        run = record["peers"]
        made["peers"] = tables.peers(run["figures"], list(run["versions"]))
        made["peers in short"] = tables.front(run["figures"])
        made["peers ahead"] = tables.ahead(run["figures"])
        made["peers versions"] = "; ".join(run["versions"].values()) + ".\n"
    if "comparison" in record:
        made["starts alone"] = tables.starts(record["comparison"]["alone"], "crun")
        made["starts by engines"] = tables.engine_starts(record["comparison"]["engines"])
    if "run" in record:
        made["costs"] = tables.costs(record["run"]["figures"])
    return made


def plots(record: dict[str, Any]) -> dict[str, str]:
    """Return the plots by their files' names."""
    made = {}
    if "peers" in record:
        ways = [name for name in record["peers"]["versions"] if name != tables.NATIVE]
        ratios = {
            line: {name: value / values[tables.NATIVE] for name, value in values.items()}
            for line, values in record["peers"]["figures"].items()
            if tables.NATIVE in values
        }
        made["comparison-peers.svg"] = plot.ratios("Relative to the host", ways, ratios)
    for kind in ("alone", "engines") if "comparison" in record else ():
        made[f"comparison-{kind}.svg"] = plot.bars(
            f"Start of busybox true, {kind}, median", "ms", record["comparison"][kind]
        )
    return made


def fill(page: str, made: dict[str, str]) -> str:
    """Return a page with the text after each comment replaced, where there is one of its name."""

    def put(block: re.Match[str]) -> str:
        return (
            block["name"] + block[2] + made[block["name"]] if block["name"] in made else block[0]
        )

    return BLOCK.sub(put, page)


def main(words: list[str]) -> int:
    """Keep the runs, and make pages and plots."""
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    for program, file in zip(words[::2], words[1::2]):
        if program not in PROGRAMS:
            print(f"record: there is no figure of {program!r}.", file=sys.stderr)
            print(f"To fix: give one of {', '.join(PROGRAMS)}, and its file.", file=sys.stderr)
            return 2
        record[program] = json.loads(Path(file).read_text(encoding="utf-8"))
    RECORD.write_text(json.dumps(record, indent=2) + "\n", encoding="utf-8")
    for name, chart in plots(record).items():
        RECORD.with_name(name).write_text(chart, encoding="utf-8")
    for name in PAGES:
        page = ROOT / name
        page.write_text(fill(page.read_text(encoding="utf-8"), texts(record)), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
