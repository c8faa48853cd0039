# SPDX-License-Identifier: Apache-2.0
"""An ELF file's needs are read as the system's own tools read them; a broken one is an error."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

from kontain_runenv.elf import Needs, read_needs
from tests.krun.support import need_programs

PROGRAM = Path("/bin/ls")


def test_needs_are_those_that_readelf_names() -> None:
    """The libraries and the loader of a program are found, in the order of its dynamic section."""
    need_programs("readelf")
    said = subprocess.run(
        ["readelf", "--wide", "--dynamic", "--program-headers", str(PROGRAM)],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    libraries = re.findall(r"\(NEEDED\)\s+Shared library: \[(.+)\]", said)
    loader = re.findall(r"interpreter: (.+)\]", said)

    assert libraries
    assert read_needs(PROGRAM.read_bytes()) == Needs(loader[0], tuple(libraries))


@pytest.mark.parametrize("data", [b"", b"#!/bin/sh\n", b"\x7fELF\x01\x01" + bytes(100)])
def test_other_files_are_no_elf(data: bytes) -> None:
    """A script, an empty file and a 32-bit program are no concern of an image's libraries."""
    assert read_needs(data) is None


@pytest.mark.parametrize("length", [6, 63, 64, 100, 600, 5000])
def test_cut_off_file_is_an_error(length: int) -> None:
    """A file that ends in the middle of what is needed is reported, and nothing outside is read."""
    with pytest.raises(ValueError, match="cut off"):
        read_needs(PROGRAM.read_bytes()[:length])


def test_wild_numbers_are_an_error() -> None:
    """Offsets beyond the file, as a damaged one has them, end in the same error."""
    data = bytearray(PROGRAM.read_bytes())
    data[32:40] = (2**64 - 8).to_bytes(8, "little")  # where the program headers are
    with pytest.raises(ValueError, match="cut off"):
        read_needs(bytes(data))
