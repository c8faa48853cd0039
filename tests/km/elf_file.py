# SPDX-License-Identifier: Apache-2.0
"""ELF files of a few hundred bytes, with any field as a test wants it; elf(5)."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

BASE = 0x400000
PAGE = 4096
EXEC, DYN = 2, 3
LOAD, INTERP = 1, 3
R, W, X = 4, 2, 1

EXIT_42 = bytes.fromhex("bf2a000000b8e70000000f05")
"""mov $42, %edi; mov $231, %eax; syscall: exit_group(42)."""

HEAD_FORMAT = "<16sHHIQQQIHHHHHH"
HEAD_FIELDS = (
    "ident", "type", "machine", "version", "entry", "phoff", "shoff", "flags", "ehsize",
    "phentsize", "phnum", "shentsize", "shnum", "shstrndx",
)  # fmt: skip
HEAD_SIZE = struct.calcsize(HEAD_FORMAT)

PHDR_FORMAT = "<IIQQQQQQ"
PHDR_FIELDS = ("type", "flags", "offset", "vaddr", "paddr", "filesz", "memsz", "align")
PHDR_SIZE = struct.calcsize(PHDR_FORMAT)


@dataclass(frozen=True)
class Segment:
    """A program header. Sizes and addresses in bytes; `filesz` of None is all of the file."""

    type: int = LOAD
    flags: int = R | X
    offset: int = 0
    vaddr: int = BASE
    filesz: "int | None" = None
    memsz: "int | None" = None
    align: int = PAGE


def make(segments: Sequence[Segment] = (Segment(),), tail: bytes = b"", **head: object) -> bytes:
    """Return a program that exits with 42, with these segments and these fields of its header."""
    code = HEAD_SIZE + PHDR_SIZE * len(segments)
    size = code + len(EXIT_42) + len(tail)
    fields = {
        "ident": b"\x7fELF\x02\x01\x01".ljust(16, b"\0"), "type": EXEC, "machine": 62,
        "version": 1, "entry": BASE + code, "phoff": HEAD_SIZE, "shoff": 0, "flags": 0,
        "ehsize": HEAD_SIZE, "phentsize": PHDR_SIZE, "phnum": len(segments), "shentsize": 0,
        "shnum": 0, "shstrndx": 0, **head,
    }  # fmt: skip
    packed = struct.pack(HEAD_FORMAT, *(fields[name] for name in HEAD_FIELDS))
    for segment in segments:
        filesz = size if segment.filesz is None else segment.filesz
        memsz = filesz if segment.memsz is None else segment.memsz
        packed += struct.pack(
            PHDR_FORMAT, segment.type, segment.flags, segment.offset, segment.vaddr,
            segment.vaddr, filesz, memsz, segment.align,
        )  # fmt: skip
    return packed + EXIT_42 + tail
