# SPDX-License-Identifier: Apache-2.0
"""Read from a 64-bit ELF file which libraries and which loader it asks for.

The layout is that of the System V ABI, "Object Files" and "Program Loading and Dynamic Linking".
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from dataclasses import dataclass

_MAGIC = b"\x7fELF\x02\x01"  # 64 bits, little endian
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB = 0, 1, 5
_HEADER_SIZE = 64


@dataclass(frozen=True)
class Needs:
    """The needs of a program or library: its loader's path ("" for a library) and sonames."""

    loader: str = ""
    libraries: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Segment:
    kind: int
    offset: int
    address: int
    size: int  # in the file


def read_needs(data: bytes) -> Needs | None:
    """Return what the ELF file DATA needs, or None if it is none; ValueError if it is cut off."""
    if not data.startswith(_MAGIC):
        return None
    try:
        segments = list(_segments(data))
        loader = b"".join(_inside(data, one) for one in segments if one.kind == _PT_INTERP)
        libraries = tuple(
            name
            for one in segments
            if one.kind == _PT_DYNAMIC
            for name in _needed(data, one, segments)
        )
    except (struct.error, IndexError) as error:
        raise ValueError("the ELF file is cut off") from error
    return Needs(loader.rstrip(b"\0").decode(), libraries)


def _segments(data: bytes) -> Iterator[_Segment]:
    if len(data) < _HEADER_SIZE:
        raise IndexError
    table, entry_size, count = (
        *struct.unpack_from("<Q", data, 32),
        *struct.unpack_from("<HH", data, 54),
    )
    for number in range(count):
        start = table + number * entry_size
        kind, _, offset, address, _, size = struct.unpack("<IIQQQQ", data[start : start + 40])
        yield _Segment(kind, offset, address, size)


def _inside(data: bytes, segment: _Segment) -> bytes:
    if segment.offset + segment.size > len(data):
        raise IndexError
    return data[segment.offset : segment.offset + segment.size]


def _needed(data: bytes, dynamic: _Segment, segments: list[_Segment]) -> Iterator[str]:
    entries: list[tuple[int, int]] = []
    for tag, value in struct.iter_unpack("<QQ", _inside(data, dynamic)):
        if tag == _DT_NULL:
            break
        entries.append((tag, value))
    strings = next((_offset(value, segments) for tag, value in entries if tag == _DT_STRTAB), 0)
    for tag, value in entries:
        if tag == _DT_NEEDED:
            end = data.find(b"\0", strings + value)
            if end < 0:
                raise IndexError
            yield data[strings + value : end].decode()


def _offset(address: int, segments: list[_Segment]) -> int:
    for one in segments:
        if one.kind == _PT_LOAD and one.address <= address < one.address + one.size:
            return address - one.address + one.offset
    raise IndexError
