# SPDX-License-Identifier: Apache-2.0
"""The verbs that make a container: `create`, `run` and `restore`."""

from __future__ import annotations

from krun import backend, bundle, document, mounts, policy, release, rewrite, state
from krun.bundle import Bundle
from krun.call import Call
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def create(call: Call) -> NoReturn:
    """Become the backend that makes the container of a bundle, with its process in a VM."""
    container_id = _new_id(call)
    rules = policy.load(call.given.get("policy"))
    below = backend.choose(rules.backend)
    number, _ = call.kvm_place(below)
    source = Bundle(call.options.get("bundle"), call.options.get("config"))
    root_fd, rootfs = source.rootfs()
    tree = mounts.tree_of(root_fd, source.fd, document.objects(source.doc, "mounts"))
    rewriter = rewrite.Rewriter(tree, number, rules)
    km = release.find_km(call.program)
    doc = rewriter.container(source.doc, bundle_fd=source.fd, rootfs=rootfs, km=km)
    options = call.options.without("bundle", "config")
    if below.name == "crun" and call.verb != "restore":
        fd = bundle.in_memory(doc, above=number)
        options.items += [("config", f"/proc/self/fd/{fd}"), ("bundle", source.path)]
    else:
        hook = rewrite.removal_hook(bundle.shadow_path(call.root, container_id))
        doc["hooks"] = rewrite.with_hook(doc["hooks"], "poststop", hook)
        shadow = bundle.make_shadow(call.root, container_id, doc, source.path)
        options.items.append(("bundle", shadow))
        if call.verb == "create":
            options = options.without("no-subreaper")  # crun's; runc's create never makes one
    call.become_with_kvm(below, options, [container_id])


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
