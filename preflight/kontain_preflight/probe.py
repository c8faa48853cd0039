# SPDX-License-Identifier: Apache-2.0
"""Read `km --probe`, which runs a test program to see whether programs can run (km(1), PROBE)."""

from __future__ import annotations

import contextlib
import os
from typing import Dict, Iterator, List, NamedTuple, Optional

from .host import Host
from .programs import Output

_FAILED = 125  # km's status where km itself fails
_CHUNK = 1 << 20


class Probe(NamedTuple):
    """The answer: whether the program ran; of a failure, km's two lines; and its trace."""

    good: bool
    why: str  # km's first line, without its name and full stop
    fix: str  # its second
    step: str  # where it failed, with the error's name
    took_us: int
    values: Dict[str, str]  # `kind`, `kernel`, … of the lines NAME=VALUE
    trace: str


def ask(host: Host, km: str, *options: str) -> Optional[Probe]:
    """Have the km at a path run its probe; None where that km is too old to have one.

    Raises OSError where it cannot be started, and TimeoutError.
    """
    try:
        output = host.run(km, "--probe", *options)
    except PermissionError:  # on a file system that allows no programs
        with _copy_in_memory(host, km) as place:
            output = host.run(place, "--probe", *options)
    return _read(output)


def _read(output: Output) -> Optional[Probe]:
    if output.status == _FAILED and not output.stdout:
        return None
    pairs = [line.partition("=") for line in output.stdout.splitlines()]
    values = {name: value for name, _, value in pairs if name not in ("step", "host", "cpuid")}
    why, fix = output.two_lines
    why = why.partition("km: ")[2] or why
    return Probe(
        good=output.status == 0 and values.get("result") == "ok",
        why=why or f"it ended with status {output.status} and said nothing",
        fix=fix or "report this with the output of `km --probe`",
        step=next((v for name, _, v in pairs if name == "step" and " error=" in v), ""),
        took_us=sum(_microseconds([v for name, _, v in pairs if name == "step"])),
        values=values,
        trace=output.stdout + output.stderr,
    )


def _microseconds(steps: List[str]) -> Iterator[int]:
    for step in steps:
        number = step.partition(" us=")[2]
        if number.isdigit():
            yield int(number)


@contextlib.contextmanager
def _copy_in_memory(host: Host, km: str) -> Iterator[str]:
    """Give a path by which a program runs that lies where none may."""
    writing = os.memfd_create("km", os.MFD_CLOEXEC)
    try:
        with open(host.place(km), "rb") as file:  # noqa: PTH123  a str
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                os.write(writing, chunk)
        reading = os.open(f"/proc/self/fd/{writing}", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(writing)  # what is open for writing cannot be run
    try:
        yield f"/proc/{os.getpid()}/fd/{reading}"
    finally:
        os.close(reading)
