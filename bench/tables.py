# SPDX-License-Identifier: Apache-2.0
"""The tables of the documents, as Markdown, from the JSON files of runs."""

from __future__ import annotations

from math import floor, log10

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Figures = dict[str, dict[str, float]]

NATIVE, KONTAIN, GVISOR = "native", "kontain", "gVisor"
HOST_MIB = 23 * 1024
"""Memory for services on a host of 24 GiB, whose system keeps one."""
IDLE = ("idle Python service", "idle Node service")
FRONT = (
    "start to end, true (ms)",
    "stat (us)",
    "open-read-close (us)",
    "python start (ms)",
    "redis GET (us)",
    "nginx request (us)",
    "idle Python service (MiB)",
)
"""The lines of the README's table, and its columns."""
FRONT_WAYS = (NATIVE, "runc", GVISOR, KONTAIN)
LARGER = {"ns": (1000, "us"), "us": (1000, "ms"), "KiB": (1024, "MiB")}


def table(head: list[str], rows: list[list[str]]) -> str:
    """Return a table of Markdown."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def short(value: float) -> str:
    """Return a number of three digits, without an exponent."""
    places = 2 - floor(log10(value)) if value else 0
    return f"{value:.3g}" if places >= 0 else f"{round(value, places):,.0f}"


def amount(value: float, unit: str) -> str:
    """Return a value in the unit that suits it."""
    while unit in LARGER and value >= LARGER[unit][0]:
        factor, unit = LARGER[unit]
        value /= factor
    return f"{short(value)} {unit}"


def compared(values: dict[str, float], names: list[str]) -> list[str]:
    """Return a line's cells: each figure, and in brackets its ratio to the host's."""
    host = values.get(NATIVE)
    cells = []
    for name in names:
        more = f" ({short(values[name] / host)}x)" if host and name in values else ""
        cell = f"{short(values[name])}{'' if name == NATIVE else more}" if name in values else ""
        cells.append(cell or "not measured")
    return cells


def peers(figures: Figures, names: list[str]) -> str:
    """Return the table of all lines of a run of bench/peers.py."""
    rows = [[line, *compared(values, names)] for line, values in figures.items()]
    for service in IDLE:
        values = figures.get(f"{service} (MiB)", {})
        cells = [f"{HOST_MIB / values[name]:,.0f}" if name in values else "" for name in names]
        rows.append([f"{service}s on 24 GiB, computed", *cells])
    return table(["measure", *(title(name) for name in names)], rows)


def front(figures: Figures) -> str:
    """Return the README's table: fewer lines and ways of the same run."""
    rows = [
        [line, *compared(figures[line], list(FRONT_WAYS))] for line in FRONT if line in figures
    ]
    return table(["measure", *(title(name) for name in FRONT_WAYS)], rows)


def title(name: str) -> str:
    """Return the heading of a way's column."""
    return {NATIVE: "host", KONTAIN: "Kontain"}.get(name, name)


def ahead(figures: Figures) -> str:
    """Return a list of the measures in which Kontain or gVisor takes less, largest ratio first."""
    lines = []
    for one, other in ((KONTAIN, GVISOR), (GVISOR, KONTAIN)):
        better = {
            line: values[other] / values[one]
            for line, values in figures.items()
            if one in values and other in values and values[one] < values[other]
        }
        words = [
            f"{line.rsplit(' (', 1)[0]} ({short(ratio)} x)"
            for line, ratio in sorted(better.items(), key=lambda item: -item[1])
        ]
        if words:
            lines.append(f"- **{title(one)} is ahead of {title(other)}** in {'; '.join(words)}.\n")
    return "".join(lines)


def starts(values: dict[str, float], base: str) -> str:
    """Return the table of starts without an engine, relative to BASE."""
    rows = [
        ["the host" if name == NATIVE else name, f"{short(ms)} ms", f"{ms / values[base]:.2f}"]
        for name, ms in values.items()
    ]
    return table(["program runs in", "start", f"relative to {base}"], rows)


def engine_starts(values: dict[str, float]) -> str:
    """Return the table of starts through engines, each relative to the engine's own runtime."""
    rows, own = [], dict[str, float]()
    for name, ms in values.items():
        engine, runtime = name.split(", ")
        own.setdefault(engine, ms)
        rows.append([engine, runtime, f"{short(ms)} ms", f"{ms / own[engine]:.2f}"])
    return table(["engine", "runtime", "start", "relative to the engine's own"], rows)


def costs(figures: list[dict[str, Any]]) -> str:
    """Return the table of a run of bench/run.py: the best rounds, km's median, and its ratio."""
    native = {}
    rows = []
    for one in figures:
        name, _, way = one["name"].rpartition(": ")
        if way == NATIVE:
            native[name] = amount(one["best"], one["unit"])
            continue
        row = name if way == "km" else one["name"].replace(": ", ", ")
        taken = f"{amount(one['best'], one['unit'])} (median {amount(one['median'], one['unit'])})"
        ratio = f"{short(one['ratio'])} x {'host' if one['to'] == NATIVE else one['to']}"
        rows.append([row, native.get(name, ""), taken, ratio, one["budget"], one["goal"]])
    return table(["measure", "host", "km", "relative to", "budget", "goal"], rows)
