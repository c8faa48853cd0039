# SPDX-License-Identifier: Apache-2.0
"""The line that moves during a run: hosts done, failed, and the wave."""

from __future__ import annotations

import sys
import time
from typing import TextIO

from .record import Outcome

WIDTH = 30
QUIET_STEP = 10  # percent between two lines where there is no terminal


class Progress:
    """Shows how far a run is, on standard error."""

    def __init__(self, total: int, done: int = 0, stream: TextIO | None = None) -> None:
        """Begin with `done` of `total` hosts, those of an earlier run."""
        self.total, self.done, self.failed, self.wave = total, done, 0, 0
        self.stream = stream or sys.stderr
        self.moves = self.stream.isatty()
        self.began = time.monotonic()
        self._told = 0

    def start_wave(self, wave: int) -> None:
        """Begin the next wave."""
        self.wave = wave
        if not self.moves:
            self._print(f"wave {wave}")
        self._draw()

    def add(self, outcome: Outcome) -> None:
        """Count a host; a failure is named at once."""
        self.done += 1
        if outcome.is_bad:
            self.failed += 1
            self._print(f"{outcome.host}: {outcome.problem}\nTo fix: {outcome.fix}")
        self._draw()

    def end(self) -> None:
        """Leave the line as it is."""
        if self.moves:
            self.stream.write("\n")

    def __str__(self) -> str:
        """Return what the line says."""
        failed = f", {self.failed} failed" if self.failed else ""
        seconds = time.monotonic() - self.began
        return f"{self.done} of {self.total} hosts{failed}, wave {self.wave}, {seconds:.0f} s"

    def _print(self, text: str) -> None:
        self.stream.write(("\r\033[K" if self.moves else "") + text + "\n")
        self.stream.flush()

    def _draw(self) -> None:
        percent = 100 * self.done // max(self.total, 1)
        if self.moves:
            bar = "#" * (WIDTH * percent // 100)
            self.stream.write(f"\r\033[K[{bar:<{WIDTH}}] {self}")
            self.stream.flush()
        elif percent >= self._told + QUIET_STEP:
            self._told = percent
            self._print(str(self))
