# SPDX-License-Identifier: Apache-2.0
"""The verbs that make a container: `create` and `run`."""

from __future__ import annotations

import time

from krun import document, kvm, mounts, policy, release, rewrite, state
from krun.backend import choose
from krun.bundle import Bundle
from krun.call import Call
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def create(call: Call) -> NoReturn:
    """Become the backend that makes the container of a bundle, with its process in a VM."""
    call.mark("interpreter")
    container_id = _new_id(call)
    rules = policy.load(call.given.get("policy"))
    source = Bundle(call.options.get("bundle"), call.options.get("config"))
    rules.choose(document.member(source.doc, "annotations", dict) or {})
    backend = choose(rules.backend)
    number, _ = call.kvm_place(backend)
    call.mark("policy and bundle")
    root_fd, rootfs = source.rootfs()
    tree = mounts.tree_of(root_fd, source.fd, document.objects(source.doc, "mounts"))
    rewriter = rewrite.Rewriter(tree, number, rules)
    km = release.find_km(call.program)
    doc = rewriter.container(
        source.doc,
        backend=backend.name,
        bundle_fd=source.fd,
        rootfs=rootfs,
        own=(km, release.find_launcher(call.program)),
    )
    kvm_fd = kvm.open_device()
    kvm.prove(km, kvm_fd)
    call.mark("payload and configuration")
    options = call.options.without("bundle", "config")
    by_memory = backend.name == "crun"
    folder = None
    if rules.direct or rules.timing or not by_memory:
        from krun import shadow  # noqa: PLC0415 - crun seldom needs one

        folder = shadow.make_folder(call.root, container_id, source.path, above=number)
        doc["hooks"] = rewrite.with_hook(doc["hooks"], "poststop", rewrite.removal_hook(folder))
    if by_memory:
        fd = document.in_memory(doc, above=number)
        options.items += [("config", f"/proc/self/fd/{fd}"), ("bundle", source.path)]
    elif folder:
        doc["root"]["path"] = rootfs  # relative, it would be below the shadow
        doc["mounts"] = mounts.absolute(doc["mounts"], source.path)
        shadow.fill(folder, doc)
        options.items.append(("bundle", folder))
        if call.verb == "create":
            options = options.without("no-subreaper")  # crun's; runc's create never makes one
    call.mark("writing")
    if rules.timing:
        _note_times(call, container_id)
    call.become_with_kvm(backend, options, [container_id], kvm_fd)


def _note_times(call: Call, container_id: str) -> None:
    """Write down what the phases took, in seconds, and when the backend's begins.

    The interpreter's is the processor time that it had taken before it could look at a clock.
    """
    from krun import record  # noqa: PLC0415 - few hosts ask for it

    phases, last = {}, call.began
    for phase, at in call.marks:
        phases[phase] = at - last
        last = at
    phases["interpreter"] += call.spent
    entry = {"phases": phases, "backend": time.time()}
    record.append(record.path(call.root, container_id, "timing"), entry)


def _new_id(call: Call) -> str:
    """Return the ID for the container, which no other one may have."""
    if len(call.arguments) != 1:
        raise KrunError(
            f"{call.verb} needs one container ID, found {len(call.arguments)}",
            f"write `krun {call.verb} --bundle FOLDER ID`",
        )
    container_id = call.arguments[0]
    state.check_id(container_id)
    if state.exists(f"{call.root}/{container_id}"):
        raise KrunError(
            f"container with given ID already exists: {container_id}",
            f"choose another ID, or run `krun delete {container_id}`",
        )
    return container_id
