# SPDX-License-Identifier: Apache-2.0
"""Write docs/reference/system-calls.md from km's table of them: `python3 -m tools.docs.syscall_table`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
TABLE = ROOT / "km" / "src" / "calls" / "syscall_list.inc"
PAGE = ROOT / "docs" / "reference" / "system-calls.md"

HEAD = """\
# System calls

Made by `tools/docs/syscall_table.py` from `km/src/calls/syscall_list.inc`; do not edit it.

The answers to a payload's system calls of Linux on x86-64.
A call that is not here fails with `ENOSYS`, as on a kernel that does not have it.

- *host*: the host's kernel makes the call once km has checked its arguments.
- *km*: km makes the call itself, or looks at what it means first.
- *refused*: it fails with `EPERM`, as for a user without the privilege that it needs.
- *restarts*: after a signal whose handler has `SA_RESTART` it is made again; signal(7).
- *helped*, *helped on files*, *helped when ready*, *helped where it only asks*: on KVM in software km's helper may make it, HELPER in km(1); *when ready* where it finds first that the call would not wait, *where it only asks* where the call sets nothing.
"""

_SECTION = re.compile(r"^    /\* (.+) \*/$")
_LINE = re.compile(
    r"(HANDLE|FORWARD|WAIT|RESTART)(?:_(WAIT|RESTART|HELPED|ON_FILE|IF_READY|AT_ONCE|ASKS|OWN))?\((\w+)(?:, (\w+))?"
)
_HELPED = {
    "HELPED": "helped",
    "ON_FILE": "helped on files",
    "IF_READY": "helped when ready",
    "AT_ONCE": "helped when ready",
    "ASKS": "helped where it only asks",
}


@dataclass(frozen=True)
class Call:
    """One system call: the table's section, its name, who makes it, and what else is so."""

    section: str
    name: str
    by: str
    restarts: bool
    helped: str
    """By km's helper: "helped", "helped on files", "helped when ready", "helped where it only asks" or ""."""

    @property
    def notes(self) -> str:
        """The page's remark, next to the maker of the call."""
        return ", ".join(filter(None, ("restarts" if self.restarts else "", self.helped)))


def read(text: str) -> list[Call]:
    """Return the calls that the table's source has, in its order.

    Raises:
        ValueError: there are none, so that the table is not what this reads.
    """
    section, calls = "", []
    for line in text.splitlines():
        if title := _SECTION.match(line):
            section = title[1]
        elif found := _LINE.match(line.strip()):
            kind, how, name, handler = found.groups()
            by = "host" if kind != "HANDLE" else "refused" if handler == "refuse" else "km"
            helped = _HELPED.get(how, "")
            restarts = "RESTART" in (kind, how) or (kind, how) == ("HANDLE", "IF_READY")
            calls.append(Call(section, name, by, restarts, helped))
    if not calls:
        raise ValueError(f"{TABLE} has no system call")
    return calls


def render(calls: list[Call]) -> str:
    """Return the page, with a part for each of the table's sections."""
    lines = [HEAD, f"{len(calls)} calls are here.\n"]
    for section in dict.fromkeys(call.section for call in calls):
        lines += [
            f"## {section[0].upper()}{section[1:]}\n",
            "| call | made by | |",
            "|---|---|---|",
        ]
        lines += [
            f"| `{call.name}` | {call.by} | {call.notes} |"
            for call in sorted(calls, key=lambda call: call.name)
            if call.section == section
        ]
        lines.append("")
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(render(read(TABLE.read_text(encoding="utf-8"))), encoding="utf-8")
