# SPDX-License-Identifier: Apache-2.0
"""The outcome of each host: kept as it comes, a JSON object a line, so that a run can resume."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any, Dict, List

from kontain_preflight.errors import FIX, WRONG_USAGE, HostError

from .told import printable

GOOD, CHANGED, FAILED, UNREACHABLE = "good", "changed", "failed", "unreachable"
INTERRUPTED = "interrupted"  # while the host was being worked on: it may have changed
BAD = (FAILED, UNREACHABLE, INTERRUPTED)


@dataclass
class Outcome:
    """The outcome of one host; `results` are checks and proofs, in the form of the module host."""

    host: str
    outcome: str
    wave: int = 0
    seconds: float = 0.0
    release: str = ""
    cold_start_ms: float | None = None
    message: str = ""
    missing: List[str] = field(default_factory=list)
    changes: List[Dict[str, str]] = field(default_factory=list)
    results: List[Dict[str, str]] = field(default_factory=list)
    rolled_back: str = ""
    facts: Dict[str, Any] = field(default_factory=dict)  # `distribution` and `cpu`

    def __post_init__(self) -> None:
        """Make all texts such as a terminal, a page and XML can have."""
        for one in fields(self):
            setattr(self, one.name, printable(getattr(self, one.name)))

    @property
    def machine(self) -> str:
        """The distribution and the CPU in words, "" where the host did not say."""
        words = []
        for part, name in (("distribution", "name"), ("cpu", "brand")):
            facts: Any = self.facts  # a host says what it likes
            found = facts.get(part) if isinstance(facts, dict) else None
            if isinstance(found, dict) and isinstance(found.get(name), str):
                words.append(found[name])
        return ", ".join(words)

    @property
    def is_bad(self) -> bool:
        """Whether the host is not as it should be."""
        return self.outcome in BAD

    @property
    def problem(self) -> str:
        """The error's first line, without the remedy."""
        lines = self.message.splitlines()
        return "\n".join(line for line in lines if not line.startswith(FIX))

    @property
    def fix(self) -> str:
        """The remedy."""
        lines = self.message.splitlines()
        fixes = [line[len(FIX) :] for line in lines if line.startswith(FIX)]
        if not fixes and self.outcome == UNREACHABLE:
            return f"see why `ssh {self.host}` fails."
        if not fixes and self.outcome == INTERRUPTED:
            return "run the same command with --resume."
        return "\n".join(fixes) or "see what Ansible says with -vvv, then run this again."


class Record:
    """The file of a run: its first line says what the run is, each other is an Outcome."""

    def __init__(self, path: Path, run: Dict[str, Any]) -> None:
        """Take the file at `path` for a run."""
        self.path = path
        self.run = run
        self.outcomes: Dict[str, Outcome] = {}

    def begin(self) -> None:
        """Start a new file."""
        self.path.write_text(json.dumps(self.run) + "\n", encoding="utf-8")

    def resume(self) -> None:
        """Read what an earlier run of the same kind found; raise HostError when it was another."""
        try:
            first, *lines = self.path.read_text(encoding="utf-8").splitlines()
        except (OSError, ValueError) as problem:
            raise _cannot_resume(f"there is no run to resume in {self.path.parent}") from problem
        before = json.loads(first)
        if before != self.run:
            differing = ", ".join(k for k in self.run if before.get(k) != self.run[k])
            raise _cannot_resume(f"the run in {self.path.parent} was another: {differing} differ")
        for line in lines:
            try:
                outcome = Outcome(**json.loads(line))
            except ValueError:  # the line that an interruption cut off
                continue
            if not outcome.is_bad:
                self.outcomes[outcome.host] = outcome

    def add(self, outcome: Outcome) -> None:
        """Keep what became of a host."""
        self.outcomes[outcome.host] = outcome
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps(asdict(outcome)) + "\n")

    @property
    def bad(self) -> List[Outcome]:
        """The hosts that are not as they should be."""
        return [outcome for outcome in self.outcomes.values() if outcome.is_bad]


def _cannot_resume(why: str) -> HostError:
    fix = "run the same command, or leave --resume out to start over"
    return HostError("cannot resume", why, fix, WRONG_USAGE)
