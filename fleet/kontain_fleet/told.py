# SPDX-License-Identifier: Apache-2.0
"""The answer of a host, which may be hostile: its form is judged, and its text made printable."""

from __future__ import annotations

from typing import Any, List, Mapping

MOST = 10**12  # of a number: some 30,000 years in seconds
DEEPEST = 6  # objects and lists within each other

_OF_A_RESULT = ("check", "status", "found", "cause", "fix")
_TEXTS = ("host", "release", "message", "rolled_back")
_LISTS = {"missing": None, "changes": (), "results": _OF_A_RESULT}


def misfits(members: Mapping[str, Any]) -> List[str]:
    """Return the names of those members of an outcome that are none, or have another form."""
    return [name for name, value in members.items() if not _fits(name, value)]


def printable(value: Any) -> Any:
    """Return a value with "?" for each character in its texts that a terminal or XML must not get."""
    if isinstance(value, str):
        return "".join(c if c.isprintable() or c in "\n\t" else "?" for c in value)
    if isinstance(value, list):
        return [printable(one) for one in value]
    if isinstance(value, dict):
        return {printable(name): printable(one) for name, one in value.items()}
    return value


def _fits(name: str, value: Any) -> bool:
    if name in ("wave", "seconds"):
        return _is_number(value)
    if name == "cold_start_ms":
        return value is None or _is_number(value)
    if name == "facts":
        return isinstance(value, dict) and _is_plain(value, DEEPEST)
    if name in _LISTS:
        return isinstance(value, list) and all(_has_texts(one, _LISTS[name]) for one in value)
    return name in _TEXTS and isinstance(value, str)


def _has_texts(value: Any, names: Any) -> bool:
    """Return whether a value is a text or, where it must have names, an object of texts."""
    if names is None:
        return isinstance(value, str)
    return (
        isinstance(value, dict)
        and set(names) <= set(value)
        and all(isinstance(one, str) for one in value.values())
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and 0 <= value < MOST


def _is_plain(value: Any, depth: int) -> bool:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return depth > 0 and all(_is_plain(one, depth - 1) for one in inner)
    return value is None or isinstance(value, (str, bool)) or _is_number(value)
