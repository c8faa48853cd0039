# SPDX-License-Identifier: Apache-2.0
"""km's choice of memslots on CPUs with few bits of physical addresses: 36, 39, and so on."""

import subprocess
from pathlib import Path

import pytest

SOURCES = Path(__file__).resolve().parents[2] / "km" / "src"
HARNESS = Path(__file__).parent / "memslot" / "narrow.c"

BLOCKS = 8192
"""BLOCKS_MAX of km/src/machine/memslot.c."""


@pytest.fixture(scope="session")
def narrow(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The monitor's memslots, without KVM."""
    program = tmp_path_factory.mktemp("memslot") / "narrow"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-Wall", "-Wextra",
         "-Werror", "-iquote", SOURCES, "-o", program, SOURCES / "machine/memslot.c", HARNESS],
        check=True,
    )  # fmt: skip
    return program


@pytest.mark.parametrize("apart_mib", [3, 96, 1024, 3000])
@pytest.mark.parametrize("bits", [36, 39, 40, 46, 52])
def test_scattered_pages_fit_the_cpus_addresses(bits: int, apart_mib: int, narrow: Path) -> None:
    """Each memslot is within what the CPU can address, and there is one for each of 8,192 pages."""
    said = subprocess.run(
        [narrow, str(bits), str(apart_mib)], capture_output=True, text=True, check=True
    )
    pages, last = said.stdout.split()
    assert int(last, 16) < 1 << bits
    assert int(pages) >= BLOCKS, said.stdout
