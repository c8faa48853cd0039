# SPDX-License-Identifier: Apache-2.0
"""Which part of the product's Python knows which: a part never knows one that stands on it.

`docs/explanation/architecture.md` says the same as a table.
"""

from __future__ import annotations

import pytest

from kontain_preflight.engines import NAMES

from .imports import PACKAGES, imported, modules

MAY_KNOW: dict[str, set[str]] = {
    "kontain_preflight": set(),
    "kontain_host": {"kontain_preflight"},
    "kontain_runenv": {"kontain_preflight", "kontain_host"},
    "kontain_fleet": {"kontain_preflight", "kontain_host"},
    "kontain_command": set(PACKAGES) - {"kontain_command", "kontain_node", "krun"},
    "kontain_node": set(),
    "krun": set(),
}
"""Each part, and the parts that it may import; nothing imports kontain_command."""


def arrows() -> dict[str, set[str]]:
    """Return the modules that each module imports, of all packages."""
    known = modules()
    found: dict[str, set[str]] = {}
    for name, file in known.items():
        names = list(imported(file, name))
        inner = {one for one in names if one in known}
        # Of `from package import module` only the module is meant, where it is one.
        inner -= {one.rpartition(".")[0] for one in inner if one.rpartition(".")[0] in inner}
        found[name] = inner - {name}
    return found


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """Return the sets of modules that reach each other."""
    reach: dict[str, set[str]] = {}
    for name, known in graph.items():
        pending, seen = list(known), set[str]()
        while pending:
            one = pending.pop()
            if one not in seen:
                seen.add(one)
                pending += graph[one]
        reach[name] = seen
    groups = {
        tuple(sorted(other for other in reach[name] | {name} if name in reach[other]))
        for name in graph
        if name in reach[name]
    }
    return [list(group) for group in sorted(groups)]


@pytest.mark.parametrize("package", PACKAGES)
def test_a_part_knows_only_those_that_it_stands_on(package: str) -> None:
    """No import leads to a part of the same level or above, not even one within a function."""
    foreign = {
        (name, one)
        for name, inner in arrows().items()
        for one in inner
        if name.split(".")[0] == package != one.split(".")[0]
    }
    wrong = {pair for pair in foreign if pair[1].split(".")[0] not in MAY_KNOW[package]}
    assert not wrong


def test_no_modules_import_each_other_in_a_circle() -> None:
    """Each module can be read, and tried, without those that use it."""
    assert circles(arrows()) == []


@pytest.mark.parametrize("package", ["kontain_preflight", "kontain_host", "kontain_fleet"])
def test_an_engine_is_known_in_its_own_files_only(package: str) -> None:
    """Outside of the folders `engines` no file names one, but the list of what host takes of preflight."""
    known = modules()
    knowing = {
        name
        for name, file in known.items()
        if name.split(".")[0] == package and any(one in file.read_text().lower() for one in NAMES)
    }
    outside = {name for name in knowing if ".engines" not in name}
    assert outside <= {"kontain_host.looks"}


def test_a_circle_is_found() -> None:
    """The test of circles sees one of three modules, and no chain."""
    graph = {"a": {"b"}, "b": {"c"}, "c": {"a", "d"}, "d": set[str](), "e": {"a"}}
    assert circles(graph) == [["a", "b", "c"]]
