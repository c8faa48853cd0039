# SPDX-License-Identifier: Apache-2.0
"""The outcome of an attempt at a node, as the line of JSON that `kontain fleet report` reads in logs.

Its members are those of a host in the report of `kontain fleet`, see kontain-fleet(1).
"""

from __future__ import annotations

import contextlib
import json
import subprocess
import time
from typing import Any, Dict, List

from .status import FAILED, Status

_OF_A_RESULT = ("check", "status", "found", "cause", "fix")
_COLD_START = "proof-km"


class Outcome:
    """The findings and changes of the verbs of one attempt."""

    def __init__(self, node: str) -> None:
        """Begin an attempt at NODE."""
        self._node = node
        self._began = time.monotonic()
        self._results: Dict[str, Dict[str, Any]] = {}
        self._changes: List[Dict[str, str]] = []
        self._facts: Dict[str, Any] = {}

    def take(self, done: subprocess.CompletedProcess[str]) -> subprocess.CompletedProcess[str]:
        """Keep what a verb printed as JSON, if it did; return DONE."""
        with contextlib.suppress(ValueError):
            found = json.loads(done.stdout)
            self._results.update({one["check"]: one for one in found.get("results", [])})
            self._changes += found.get("changes", [])
            self._facts.update(found.get("facts", {}))
        return done

    def line(self, status: Status) -> str:
        """Return the line for how the attempt ended."""
        good = "changed" if self._changes else "good"
        cpu = {key: value for key, value in self._facts.get("cpu", {}).items() if key != "flags"}
        cold_start = self._results.get(_COLD_START, {}).get("details", {}).get("run_ms")
        return json.dumps({
            "host": self._node,
            "outcome": "failed" if status.state == FAILED else good,
            "seconds": round(time.monotonic() - self._began, 3),
            "release": status.version,
            "cold_start_ms": cold_start,
            "message": status.words or status.note,
            "changes": self._changes,
            "results": [
                {key: one[key] for key in _OF_A_RESULT} for one in self._results.values()
            ],
            "facts": {"distribution": self._facts.get("distribution", {}), "cpu": cpu},
        })  # fmt: skip
