# SPDX-License-Identifier: Apache-2.0
"""A payload: one C program of one behaviour, its builds, its runs and its judge."""

import subprocess
from dataclasses import dataclass
from pathlib import Path

SOURCES = Path(__file__).resolve().parent / "payloads"

CFLAGS = ("-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-Werror", "-Wno-nonnull",
          "-Wno-stringop-overflow", "-Wno-stringop-overread")  # fmt: skip
# musl-gcc leaves the kernel's headers out: they follow after musl's own.
KERNEL_HEADERS = ("-idirafter", "/usr/include", "-idirafter", "/usr/include/x86_64-linux-gnu")

BUILDS: dict[str, tuple[str, ...]] = {
    "musl": ("musl-gcc", "-static", *KERNEL_HEADERS),
    "glibc": ("gcc", "-static"),
    "pie": ("gcc", "-static-pie", "-fPIE"),
    "dynamic": ("gcc", "-pie", "-fPIE"),
}
"""The commands that compile and link, by the name of the build."""

SMALL = ("musl",)
STATIC = ("musl", "glibc", "pie")
ALL = ("musl", "glibc", "pie", "dynamic")

NATIVE = "native"
"""Judge: standard output, standard error, status and files are those of the native run."""

ITSELF = "itself"
"""Judge: the payload, which prints what is wrong; never run natively, where it may do harm."""

HELD = "held"
"""Judge: the payload may go on or die of a signal, but the monitor neither fails nor hangs."""


@dataclass(frozen=True)
class Payload:
    """A payload: its builds, its runs (argument lists) and its judge."""

    name: str
    builds: tuple[str, ...] = SMALL
    runs: tuple[tuple[str, ...], ...] = ((),)
    judge: str = NATIVE
    flags: tuple[str, ...] = ()
    source: str = ""
    """The C file's name where it is not the payload's."""
    stdin: bytes = b""
    needs_mib: int = 0
    """Memory that must be available to run it."""


def build(payload: Payload, how: str, outdir: Path) -> Path:
    """Compile one payload as outdir/NAME.BUILD, unless it is there and new; return its path.

    Raises:
        RuntimeError: the compiler is missing or refuses; with what it says.
    """
    target = outdir / f"{payload.name}.{how}"
    source = SOURCES / f"{payload.source or payload.name}.c"
    changed = max(path.stat().st_mtime for path in (source, *SOURCES.glob("*.h")))
    if target.exists() and target.stat().st_mtime > changed:
        return target
    compiler, *link = BUILDS[how]
    made = target.with_suffix(".new")
    command = [compiler, *CFLAGS, *link, "-o", str(made), str(source), *payload.flags]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError as error:
        raise RuntimeError(f"{compiler} is missing: install musl-tools and gcc") from error
    if done.returncode:
        raise RuntimeError(f"{' '.join(command)}\n{done.stderr}")
    made.replace(target)
    return target
