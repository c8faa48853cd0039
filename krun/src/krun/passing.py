# SPDX-License-Identifier: Apache-2.0
"""The verbs that are the backend's own, and the little that must be said around them."""

from __future__ import annotations

import posix

from krun import backend, bundle, document, policy, state
from krun.backend import Backend
from krun.call import Call

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_WITHOUT_ID = frozenset({"features", "list", "spec"})


def run(call: Call) -> int:
    """Become the backend, for a verb that starts no process; return only if it could not."""
    if call.wants_help():
        call.become(_default(call), ["--help"])
    if call.verb in _WITHOUT_ID or call.options.has("regex") or not call.arguments:
        below = _default(call)
    else:
        below = _of(call, call.arguments[0])
    if call.verb == "features" and below.name == "crun":
        from krun import features  # noqa: PLC0415 - a daemon asks for it once

        return features.show(below)
    own = _own_folders(call.root) if call.verb in ("list", "state") else []
    if not own:
        call.become(below, call.words)
    status, text = output(below, [*call.words_before(below), *call.words])
    text = _with_bundles(call, text, own)
    if call.verb == "list":
        text = _with_direct(call, text, own)
    return say(text, status)


def _default(call: Call) -> Backend:
    """Return the backend that would make a container now."""
    return backend.choose(policy.load(call.given.get("policy")).backend)


def _of(call: Call, container_id: str) -> Backend:
    """Return the backend that made the container."""
    if call.verb != "delete":
        return backend.named(state.get(call.root, container_id).backend)
    container = state.find(call.root, container_id)
    if container is not None:
        return backend.named(container.backend)
    state.check_id(container_id)
    bundle.remove_shadow(call.root, container_id)
    return _default(call)


def _is_table(call: Call) -> bool:
    return call.verb == "list" and call.options.get("format") != "json"


def _with_bundles(call: Call, text: str, ids: list[str]) -> str:
    """Return TEXT, which runc says, with the caller's bundles in place of those that runc sees."""
    for container_id in ids:
        shadow = bundle.shadow_path(call.root, container_id)
        original = bundle.original_of(shadow)
        if original is not None and _is_table(call):
            text = text.replace(shadow, original.ljust(len(shadow)))
        elif original is not None:
            text = text.replace(document.dumps(shadow), document.dumps(original))
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


def _own_folders(root: str) -> list[str]:
    """Return the containers that krun keeps a folder of."""
    try:
        return posix.listdir(bundle.shadow_path(root, ""))
    except OSError:
        return []


def output(below: Backend, words: list[str], *, quiet: bool = False) -> tuple[int, str]:
    """Run BELOW with WORDS and return its status and what it printed; QUIET hides its errors."""
    reader, writer = posix.pipe()
    pid = posix.fork()
    if pid == 0:
        posix.dup2(writer, 1)
        if quiet:
            posix.dup2(posix.open("/dev/null", posix.O_WRONLY), 2)
        backend.become(below, words)
    posix.close(writer)
    parts = []
    while part := posix.read(reader, 1 << 16):
        parts.append(part)
    _, status = posix.waitpid(pid, 0)
    text = b"".join(parts).decode(errors="surrogateescape")
    return posix.waitstatus_to_exitcode(status) & 0xFF, text


def say(text: str, status: int) -> int:
    """Print TEXT and return STATUS."""
    rest = text.encode(errors="surrogateescape")
    while rest:
        rest = rest[posix.write(1, rest) :]
    return status
