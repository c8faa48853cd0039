# SPDX-License-Identifier: Apache-2.0
"""Pictures of programs, to be compared: PNG of 8 bits a channel, without interlace."""

import zlib
from dataclasses import dataclass

SIGNATURE = b"\x89PNG\r\n\x1a\n"
CHANNELS = {2: 3, 6: 4}
"""By the colour type of a header: red, green, blue; these and opacity."""


@dataclass(frozen=True)
class Picture:
    """Rows of pixels, each of as many bytes as there are channels."""

    width: int
    height: int
    channels: int
    rows: tuple[bytes, ...]

    def pixel(self, x: int, y: int) -> tuple[int, ...]:
        """Return red, green and blue of a pixel, from the upper left one on."""
        at = x * self.channels
        return tuple(self.rows[y][at : at + 3])


def _predict(kind: int, left: int, above: int, corner: int) -> int:
    """Return what a filter of the PNG specification takes a byte for, by its three neighbours."""
    if kind == 4:
        guess = left + above - corner
        by_distance = [
            (abs(guess - value), i, value) for i, value in enumerate((left, above, corner))
        ]
        return min(by_distance)[2]
    return (0, left, above, (left + above) // 2)[kind]


def decode(content: bytes) -> Picture:
    """Return the picture of a file's content, or raise ValueError for one of another kind."""
    if not content.startswith(SIGNATURE):
        raise ValueError(f"no PNG: it begins with {content[:8]!r}")
    at, packed, header = len(SIGNATURE), b"", b""
    while at < len(content):
        size, kind = int.from_bytes(content[at : at + 4], "big"), content[at + 4 : at + 8]
        body = content[at + 8 : at + 8 + size]
        header = body if kind == b"IHDR" else header
        packed += body if kind == b"IDAT" else b""
        at += size + 12
    width, height = int.from_bytes(header[:4], "big"), int.from_bytes(header[4:8], "big")
    if header[8] != 8 or header[9] not in CHANNELS or header[12]:
        raise ValueError(f"a PNG of another kind: {header.hex()}")
    channels = CHANNELS[header[9]]
    return Picture(
        width, height, channels, _rows(zlib.decompress(packed), width, height, channels)
    )


def _rows(data: bytes, width: int, height: int, channels: int) -> tuple[bytes, ...]:
    size = width * channels
    rows, above = [], bytes(size)
    for y in range(height):
        kind, line = (
            data[y * (size + 1)],
            bytearray(data[y * (size + 1) + 1 : (y + 1) * (size + 1)]),
        )
        for i in range(size) if kind else ():
            left, corner = (line[i - channels], above[i - channels]) if i >= channels else (0, 0)
            line[i] = (line[i] + _predict(kind, left, above[i], corner)) & 0xFF
        above = bytes(line)
        rows.append(above)
    return tuple(rows)


def different_pixels(one: Picture, other: Picture, tolerance: int) -> int:
    """Return how many pixels differ by more than TOLERANCE in a channel; all where the sizes do."""
    if (one.width, one.height) != (other.width, other.height):
        return one.width * one.height
    return sum(
        any(
            abs(a - b) > tolerance for a, b in zip(one.pixel(x, y), other.pixel(x, y), strict=True)
        )
        for y in range(one.height)
        for x in range(one.width)
    )
