# SPDX-License-Identifier: Apache-2.0
"""With any headers of a file, km refuses it or runs it: it never fails itself, nor hangs."""

import random
from pathlib import Path

import pytest

from . import elf_file
from .elf_file import HEAD_SIZE, PAGE, PHDR_SIZE, R, Segment, W, X
from .refusal import CANNOT_RUN, FAILED, assert_refused, run

SEED = 2026
FILES = 1000

NUMBERS = (
    0, 1, 2, 3, 7, 8, 55, 56, 64, 127, 255, 4095, 4096, 4097, 0xFFFF, 1 << 20, 1 << 31, 1 << 32,
    0x10000, 0x3FF000, 0x400000, 0x555555554000, 0x6FFEFFFFF000, 0x6FFF00000000, 0x7D0000000000,
    0x7E0000000000, 0x7FFFFFFFF000, 1 << 47, 1 << 62, 1 << 63, (1 << 64) - PAGE, (1 << 64) - 1,
)  # fmt: skip
"""Values at the edges of what a field can say."""

HEAD_PLACES = ((16, 2), (18, 2), (24, 8), (32, 8), (48, 4), (52, 2), (54, 2), (56, 2))
"""Offset and size in bytes of type, machine, entry, phoff, flags, ehsize, phentsize and phnum."""

PHDR_PLACES = ((0, 4), (4, 4), (8, 8), (16, 8), (32, 8), (40, 8), (48, 8))
"""The same of type, flags, offset, vaddr, filesz, memsz and align."""

GNU_STACK, TLS = 0x6474E551, 7
EXTRAS = (
    Segment(type=GNU_STACK, flags=R | W | X, vaddr=0, filesz=0, memsz=0),
    Segment(type=TLS, flags=R, vaddr=0x600000, filesz=8, memsz=16, align=8),
)
ORIGINALS = (
    elf_file.make(
        (
            Segment(),
            Segment(flags=R | W, vaddr=0x600000, memsz=3 * PAGE),
            Segment(flags=R | W, vaddr=0x700000, filesz=0, memsz=PAGE),
            *EXTRAS,
        )
    ),
    elf_file.make((Segment(vaddr=0), *EXTRAS), type=elf_file.DYN, entry=HEAD_SIZE + 3 * PHDR_SIZE),
)


def _set(data: bytearray, at: int, size: int, number: int) -> None:
    data[at : at + size] = (number & ((1 << 8 * size) - 1)).to_bytes(size, "little")


def mutate(rng: random.Random) -> bytes:
    """Return an ELF file with a few changes in its headers."""
    data = bytearray(rng.choice(ORIGINALS))
    for _ in range(rng.randint(1, 4)):
        kind = rng.random()
        number = rng.choice(NUMBERS) + rng.choice((0, 0, 0, 1, -1, PAGE, -PAGE))
        if kind < 0.1:
            data[rng.randrange(HEAD_SIZE + PHDR_SIZE)] ^= 1 << rng.randrange(8)
        elif kind < 0.3:
            _set(data, *rng.choice(HEAD_PLACES), number)
        elif kind < 0.97:
            at, size = rng.choice(PHDR_PLACES)
            _set(data, HEAD_SIZE + PHDR_SIZE * rng.randrange(5) + at, size, number)
        else:
            return bytes(data[: rng.randrange(len(data))])
    return bytes(data)


@pytest.mark.needs_kvm
@pytest.mark.slow
@pytest.mark.usefixtures("kvm")
def test_any_header_is_refused_or_run(tmp_path: Path, km: Path) -> None:
    """The payload runs, or dies of a signal, or km refuses it with 126, or 125 for want of memory."""
    rng = random.Random(SEED)  # noqa: S311
    path = tmp_path / "payload"
    for number in range(FILES):
        content = mutate(rng)
        path.write_bytes(content)
        path.chmod(0o755)
        done = run([km, path])
        where = f"file {number} of seed {SEED}: {content.hex()}: {done}"
        assert "the monitor failed" not in done.stderr, where
        if done.stderr:
            assert_refused(done, FAILED if done.returncode == FAILED else CANNOT_RUN)
        else:
            assert done.returncode < 0 or done.returncode == 42, where
