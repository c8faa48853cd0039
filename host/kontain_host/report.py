# SPDX-License-Identifier: Apache-2.0
"""The report of changes, for people, for JSON and for Ansible alike."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Dict, List


@dataclass
class Report:
    """The changes made, or in check mode planned: for people, for JSON and for Ansible alike.

    `changes` holds one dict for each change: `kind`, `path`, `owner`, `reason`. `left` holds what
    an undo did not touch: `path`, `why`, and of a text the three-way `difference`: from what was made
    to what is there, and to what was there before. `diff` is as Ansible wants it.
    """

    changes: List[Dict[str, str]] = field(default_factory=list)
    warnings: List[str] = field(default_factory=list)
    left: List[Dict[str, str]] = field(default_factory=list)
    diff: List[Dict[str, str]] = field(default_factory=list)

    @property
    def changed(self) -> bool:
        """Return whether the host is, or would be, another one."""
        return bool(self.changes)

    def as_dict(self) -> Dict[str, Any]:
        """Return the report as JSON, without the differences."""
        return {
            "changed": self.changed,
            "changes": self.changes,
            "warnings": self.warnings,
            "left": self.left,
        }

    def add(self, change: Any) -> None:  # a Change, or an Entry on its way back
        """Note one change."""
        names = ("kind", "path", "owner", "reason")
        self.changes.append({name: getattr(change, name) for name in names})

    def add_diff(self, path: str, before: str, after: str) -> None:
        """Note a difference of texts."""
        headers = {"before_header": path, "after_header": path}
        self.diff.append({**headers, "before": before, "after": after})
