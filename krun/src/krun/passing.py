# SPDX-License-Identifier: Apache-2.0
"""The verbs that are the backend's own, and the little that must be said around them."""

from __future__ import annotations

import posix

from krun import state
from krun.backend import Backend, choose, named, output
from krun.call import Call
from krun.errors import KrunError
from krun.report import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn

_WITHOUT_ID = frozenset({"features", "list", "spec"})


def run(call: Call) -> int:
    """Become the backend, for a verb that starts no process; return only if it could not."""
    if call.verb in ("checkpoint", "restore"):
        raise KrunError(
            f"cannot {call.verb} a container of krun: its processes are virtual machines, and CRIU "
            "cannot save what KVM keeps of them",
            "stop the container and start it again; a program can be saved by `km --snapshot`",
        )
    if call.wants_help():
        call.become(_default(call), ["--help"])
    if _is_done(call):
        return 0
    if call.verb in _WITHOUT_ID or call.options.has("regex") or not call.arguments:
        backend = _default(call)
    else:
        backend = _of(call, call.arguments[0])
    if call.verb == "features":
        from krun import features  # noqa: PLC0415 - a daemon asks for it once

        return features.show(backend)
    if call.verb == "update" and any(map(call.options.has, ("pids-limit", "resources"))):
        _update(call, backend)
    if call.verb == "list":
        state.check_all(call.root)
    own = _own_folders(call) if call.verb in ("list", "state") else []
    if not own:
        call.become(backend, call.words)
    status, text = output(backend, [*call.words_before(backend), *call.words])
    from krun import listing  # noqa: PLC0415 - over crun there is seldom anything to add

    return say(listing.completed(call, text, own), status)


def _update(call: Call, backend: Backend) -> NoReturn:
    """Become BACKEND, whose limits are the caller's, with room for KVM where processes are few."""
    from krun import rewrite  # noqa: PLC0415 - only here limits are read

    options = call.options.without("pids-limit")
    for value in call.options.all("pids-limit"):
        limit = (
            {"limit": int(value)} if value.isdecimal() else {}
        )  # of other words the backend tells
        roomy = rewrite.with_room({"pids": limit})["pids"].get("limit", value)
        options.items.append(("pids-limit", str(roomy)))
    path = options.get("resources")
    if path is not None:
        options = options.without("resources")
        options.items.append(("resources", _known_limits(path)))
    call.become(backend, [*options.words(), *call.arguments])


def _known_limits(path: str) -> str:
    """Return the place of a document with what krun knows of the limits in the file PATH."""
    from krun import bundle, document, rewrite, schema  # noqa: PLC0415 - likewise

    try:
        is_input = path == "-"
        text = (
            document.read_open(0, "standard input") if is_input else document.read(path, pipe=True)
        )
    except OSError as reason:
        raise KrunError(
            f"cannot read the limits {path}: {bundle.why(reason)}",
            "name a file that has them with --resources, or - for standard input",
        ) from None
    doc = rewrite.with_room(schema.known(document.parse(text, path), schema.RESOURCES))
    return f"/proc/self/fd/{document.in_memory(doc, above=2)}"


def _default(call: Call) -> Backend:
    """Return the backend that would make a container now."""
    from krun import policy  # noqa: PLC0415 - the backend of a container is known

    return choose(policy.load(call.given.get("policy")).backend)


def _of(call: Call, container_id: str) -> Backend:
    """Return the backend that made the container."""
    if call.verb != "delete":
        return named(state.get(call.root, container_id).backend)
    container = state.find(call.root, container_id)
    if container is not None:
        return named(container.backend)
    state.check_id(container_id)
    from krun import shadow  # noqa: PLC0415 - for what a failed create left

    shadow.remove(call.root, container_id)
    return _default(call)


def _is_done(call: Call) -> bool:
    """Say whether CALL deletes by force one container that is gone; the launcher says so, too."""
    wanted = call.verb == "delete" and call.options.has("force") and not call.options.has("regex")
    if not wanted or len(call.arguments) != 1:
        return False
    state.check_id(call.arguments[0])
    folders = (f"{call.root}/{call.arguments[0]}", state.shadow_path(call.root, call.arguments[0]))
    return not any(map(state.exists, folders))


def _own_folders(call: Call) -> list[str]:
    """Return the containers that krun keeps a folder of; for `state` only the one that is asked."""
    try:
        own = posix.listdir(state.shadow_path(call.root, ""))
    except OSError:
        return []
    return own if call.verb == "list" else [name for name in own if name in call.arguments]
