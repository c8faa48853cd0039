# SPDX-License-Identifier: Apache-2.0
"""The rooms of km/src: each calls what is below it, and nothing above.

A file's calls are read from the symbols of its object in build/km, so that a declaration by hand
cannot hide an arrow; its permitted calls are read from its `#include` lines.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "km" / "src"
OBJECTS = ROOT / "build" / "km"

ROOMS = (
    "base", "machine", "memory", "program", "task", "calls", "watch", "gdb", "snapshot", "top",
)  # fmt: skip
"""From the lowest to the highest; the files directly in km/src are the top."""

EXCEPTIONS = {
    ("task/process.c", "vcpu.c"): "the child of a vfork runs the loop on a stack of its own",
    ("task/thread.c", "vcpu.c"): "the loop is what a thread runs",
    ("task/process.c", "calls/mounts.c"): "a process may get a namespace of mounts of its own",
    ("program/elf_find.c", "calls/access.c"): "execve(2) and access(2) judge a file in one way",
    ("machine/keeper.c", "sandbox_filter.c"): "the keeper, which runs no payload, locks itself in",
    ("base/self.c", "sandbox_filter.c"): "the filter of the program before tells which file is km",
}
"""FILE and the file of a higher room that it calls: why. At most eight."""

HOOKS = "hooks"
"""The one table by which a lower room reaches a higher one: base/hooks.h."""


def room_of(file: str) -> int:
    """The height of the room that a path below km/src is in."""
    folder = file.split("/", maxsplit=1)[0] if "/" in file else "top"
    return ROOMS.index(folder)


def symbols(what: str) -> Iterator[tuple[str, str]]:
    """(FILE, SYMBOL) of all objects: those that they define ("defined") or use ("undefined")."""
    for path in sorted(OBJECTS.rglob("*.o")):
        file = str(path.relative_to(OBJECTS)).removesuffix(".o")
        if not (SOURCES / file).exists():
            continue
        listed = subprocess.run(
            ["nm", f"--{what}-only", "--extern-only", "--format=just-symbols", path],
            check=True, capture_output=True, text=True,
        )  # fmt: skip
        for symbol in listed.stdout.split():
            yield file, symbol


@pytest.fixture(scope="module", name="arrows_up")
def fixture_arrows_up() -> set[tuple[str, str]]:
    """(FILE, ABOVE): the file uses a symbol of ABOVE, in a room above its own."""
    home = {symbol: file for file, symbol in symbols("defined")}
    assert len(home) > 300, f"no objects of km in {OBJECTS}: run `make km` first"
    return {
        (file, home[symbol])
        for file, symbol in symbols("undefined")
        if symbol in home and symbol != HOOKS and room_of(home[symbol]) > room_of(file)
    }


def test_no_room_calls_one_above_it(arrows_up: set[tuple[str, str]]) -> None:
    """No object calls a file of a higher room, but for the exceptions that are named here."""
    assert arrows_up - set(EXCEPTIONS) == set()


def test_exceptions_are_few_and_real(arrows_up: set[tuple[str, str]]) -> None:
    """Each exception is in the objects, and there are at most eight."""
    assert set(EXCEPTIONS) - arrows_up == set()
    assert len(EXCEPTIONS) <= 8


def test_no_file_includes_a_header_of_a_room_above() -> None:
    """An `#include` leads to the room's own header or to one below, but for the exceptions."""
    allowed = {file for file, _ in EXCEPTIONS}
    wrong = [
        f"{file} includes {header}"
        for path in sorted(SOURCES.rglob("*.[ch]"))
        if (file := str(path.relative_to(SOURCES))) not in allowed
        for header in re.findall(
            r'^#include "(\S+\.h)"', path.read_text(encoding="utf-8"), re.MULTILINE
        )
        if room_of(header) > room_of(file)
    ]
    assert wrong == []


def test_every_folder_is_a_room_with_one_header_of_its_name() -> None:
    """A folder of km/src is one of the rooms, and others include its header of the same name."""
    folders = sorted(path.name for path in SOURCES.iterdir() if path.is_dir())
    assert folders == sorted(ROOMS[:-1])
    foreign = [
        f"{path.relative_to(SOURCES)} includes {header}"
        for path in sorted(SOURCES.rglob("*.[ch]"))
        for header in re.findall(
            r'^#include "(\S+\.h)"', path.read_text(encoding="utf-8"), re.MULTILINE
        )
        if "/" in header
        and header not in {f"{room}/{room}.h" for room in ROOMS} | {"base/hooks.h"}
        and header.split("/")[0] != path.parent.name
    ]
    assert foreign == []
