# SPDX-License-Identifier: Apache-2.0
"""The verbs `diff` and `timing`: krun's changes for one container, their reasons and times."""

from __future__ import annotations

from krun import bundle, document, record, shadow, state
from krun.errors import KrunError
from krun.report import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from krun.call import Call
    from krun.state import Container

_REASONS = {
    "annotations": "the host's policy does not list it, for it may be the image's",
    "process.args": "the program is a payload of km, which runs it in a virtual machine",
    "process.capabilities": "CAP_SYS_ADMIN could make files executable outside of the machine",
    "root.path": "the same folder, wherever the backend is started",
    "root.readonly": "the hook that makes the root noexec makes it read-only too",
    "mounts": "nothing of an image is executed by the host's kernel: only km, and what the "
    "host's policy lets run directly",
    "linux.readonlyPaths": "the host's kernel would start the program that these files name",
    "linux.seccomp": "it leaves km what it needs; km judges the program by the container's own",
    "hooks.createContainer": "all below the root becomes noexec before the container is entered",
    "hooks.createRuntime": "likewise, from outside of a container that has users of its own",
    "hooks.poststop": "krun's notes of the container go with it",
    "hooks": "a fact that the configuration itself cannot hold",
}
"""Why krun changes a member, by the beginning of its path: the first that fits."""
_LEFT_OUT = "no member that the OCI runtime specification has for Linux"


def show(call: Call) -> int:
    """Print what the verb `diff` or `timing` says of a container, as text or as JSON."""
    if call.wants_help():
        return say(f"Usage: krun [OPTION...] {call.verb} [--format json] ID\n", 0)
    if len(call.arguments) != 1:
        raise KrunError(
            f"{call.verb} needs one container ID, found {len(call.arguments)}",
            f"write `krun {call.verb} ID`",
        )
    container_id = call.arguments[0]
    container = state.get(call.root, container_id)
    of = {"diff": _diff, "timing": _timing}[call.verb]
    found, text = of(call.root, container_id, container)
    return say(document.dumps(found) + "\n" if call.options.get("format") == "json" else text, 0)


def _diff(root: str, container_id: str, container: Container) -> tuple[object, str]:
    """Return the changes of the container's configuration, and the same as text."""
    folder = state.shadow_path(root, container_id)
    path = shadow.original_of(folder) or container.load()[1]
    try:
        given = document.load(f"{path}/config.json")
    except OSError as reason:
        raise KrunError(
            f"cannot compare: {path}/config.json: {bundle.why(reason)}",
            "ask before the engine removes the container's bundle",
        ) from None
    found = [
        {"path": where, "before": before, "after": after, "why": _why(where, after)}
        for where, before, after in changes(given, container.config())
    ]
    lines = []
    for change in found:
        lines.append(f"{change['path']}: {change['why']}\n")
        lines += [
            f"  {sign} {document.dumps(change[side])}\n"
            for sign, side in (("-", "before"), ("+", "after"))
            if change[side] is not None
        ]
    return found, "".join(lines)


def changes(before: Any, after: Any, where: str = "") -> list[tuple[str, Any, Any]]:
    """Return each place at which two documents differ, with what BEFORE and AFTER have there.

    A list of strings is one place: a command or options are read as a whole.
    """
    if before == after:
        return []
    found: list[tuple[str, Any, Any]] = []
    if isinstance(before, dict) and isinstance(after, dict):
        for name in dict.fromkeys([*before, *after]):
            below = f"{where}.{name}" if where else name
            found += changes(before.get(name), after.get(name), below)
        return found
    if _is_list_of_objects(before) and _is_list_of_objects(after):
        for index in range(max(len(before), len(after))):
            old, new = (
                values[index] if index < len(values) else None for values in (before, after)
            )
            found += changes(old, new, f"{where}[{index}]")
        return found
    return [(where, before, after)]


def _is_list_of_objects(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, dict) for item in value)


def _why(where: str, after: object) -> str:
    default = "changed since the container was made" if after is not None else _LEFT_OUT
    return next((reason for start, reason in _REASONS.items() if where.startswith(start)), default)


def _timing(root: str, container_id: str, container: Container) -> tuple[object, str]:
    """Return what the phases of the container's creation took in milliseconds, and as text."""
    entries = record.entries(record.path(root, container_id, "timing"))
    if not entries:
        raise KrunError(
            f"the phases of {container_id} were not timed",
            'set "timing" to true in krun.json(5) and create the container again',
        )
    phases = {name: seconds * 1e3 for name, seconds in entries[0]["phases"].items()}
    phases["backend"] = (container.created() - entries[0]["backend"]) * 1e3
    lines = [f"{name:26} {ms:9.3f} ms\n" for name, ms in phases.items()]
    return phases, "".join(lines)
