# SPDX-License-Identifier: Apache-2.0
"""The result of a check, and of all of them together."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Dict, List, Mapping, NamedTuple, Tuple

PASS = "pass"  # noqa: S105  # a status, not a password
WARN = "warn"
FAIL = "fail"
SKIP = "skip"

SCHEMA = 1  # of the JSON form; a number for each change that a reader could stumble over

GOOD = 0
GOOD_WITH_WARNINGS = 1
CANNOT_RUN = 3


class Result(NamedTuple):
    """The result of one check.

    `cause` and `fix` are sentences without their full stop; a passed check has neither.
    `found` of a skipped check is the reason why it was skipped.
    `details` holds the same facts for programs; its keys belong to the check.
    """

    status: str
    found: str
    cause: str = ""
    fix: str = ""
    details: Mapping[str, Any] = MappingProxyType({})
    check: str = ""
    title: str = ""
    ignored: bool = False
    milliseconds: float = 0.0

    def counts_as(self, status: str) -> bool:
        """Return whether the result has this status and was not ignored."""
        return self.status == status and not self.ignored


def passed(found: str, **details: Any) -> Result:
    """Return the result of a check that found all well."""
    return Result(PASS, found, details=details)


def warned(found: str, cause: str, fix: str, **details: Any) -> Result:
    """Return the result of a check that found something to know before it hurts."""
    return Result(WARN, found, cause, fix, details)


def failed(found: str, cause: str, fix: str, **details: Any) -> Result:
    """Return the result of a check that found why Kontain cannot run here."""
    return Result(FAIL, found, cause, fix, details)


def skipped(reason: str, fix: str = "", **details: Any) -> Result:
    """Return the result of a check that had nothing to look at."""
    return Result(SKIP, reason, "", fix, details)


class Report(NamedTuple):
    """All results in the order of the checks, and facts about the host that explain them."""

    results: Tuple[Result, ...]
    facts: Dict[str, Any]
    release: str  # the version of the Kontain that was looked at, "" without one

    def having(self, status: str) -> List[Result]:
        """Return the results of this status that were not ignored."""
        return [result for result in self.results if result.counts_as(status)]

    @property
    def exit_status(self) -> int:
        """Return 0 (good), 1 (good, with warnings) or 3 (this host cannot run Kontain)."""
        if self.having(FAIL):
            return CANNOT_RUN
        return GOOD_WITH_WARNINGS if self.having(WARN) else GOOD

    def as_dict(self) -> Dict[str, Any]:
        """Return the JSON form, which kontain-check(1) documents."""
        return {
            "schema": SCHEMA,
            "verdict": {GOOD: "good", GOOD_WITH_WARNINGS: "warnings"}.get(
                self.exit_status, "refused"
            ),
            "exit_status": self.exit_status,
            "release": self.release,
            "facts": self.facts,
            "results": [
                {**result._asdict(), "details": dict(result.details)} for result in self.results
            ],
        }
