# SPDX-License-Identifier: Apache-2.0
"""Additions of `list` and `state` to the backend's: the caller's bundles, direct programs."""

from __future__ import annotations

from krun import document, shadow, state

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from krun.call import Call


def completed(call: Call, text: str, ids: list[str]) -> str:
    """Return TEXT, what the backend says for CALL, with what krun keeps of the containers IDS."""
    text = _with_bundles(call, text, ids)
    return _with_direct(call, text, ids) if call.verb == "list" else text


def _is_table(call: Call) -> bool:
    return call.verb == "list" and call.options.get("format") != "json"


def _with_bundles(call: Call, text: str, ids: list[str]) -> str:
    """Return TEXT, which runc says, with the caller's bundles in place of those that runc sees."""
    for container_id in ids:
        folder = state.shadow_path(call.root, container_id)
        original = shadow.original_of(folder)
        if original is not None and _is_table(call):
            text = text.replace(folder, original.ljust(len(folder)))
        elif original is not None:
            text = text.replace(document.dumps(folder), document.dumps(original))
    return text


def _with_direct(call: Call, text: str, ids: list[str]) -> str:
    """Return the list TEXT with what ran directly, if anything did, in those of IDS."""
    from krun import direct  # noqa: PLC0415 - most hosts have none

    runs = {container_id: direct.runs(call.root, container_id) for container_id in ids}
    if not any(runs.values()) or call.options.has("quiet"):
        return text
    if not _is_table(call):
        listed = document.loads(text)
        return document.dumps([{**e, "direct": runs.get(e["id"], [])} for e in listed]) + "\n"
    lines = text.splitlines()
    width = max(map(len, lines))
    column = ["DIRECT", *(_names(runs.get(line.split(" ", 1)[0], [])) for line in lines[1:])]
    return "".join(f"{a.ljust(width)}   {b}".rstrip() + "\n" for a, b in zip(lines, column))


def _names(runs: list[dict[str, Any]]) -> str:
    """Return the names of the programs in RUNS, each once, with how often it ran."""
    names = [run["args"][0] for run in runs]
    return ",".join(f"{name}({names.count(name)})" for name in sorted(set(names)))
