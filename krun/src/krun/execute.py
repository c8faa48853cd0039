# SPDX-License-Identifier: Apache-2.0
"""The verb `exec`: one more process in a container that runs, in a VM of its own."""

from __future__ import annotations

import posix

from krun import backend, bundle, document, mounts, policy, state
from krun.call import Call
from krun.errors import KrunError
from krun.rewrite import Rewriter, allowed
from krun.rootfs import Rootfs
from krun.state import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import NoReturn


def execute(call: Call) -> NoReturn:
    """Become the backend that starts the process, with km as its program."""
    if not call.arguments:
        raise KrunError("exec needs a container ID", "write `krun exec ID PROGRAM [ARG...]`")
    container_id, *args = call.arguments
    container = state.get(call.root, container_id)
    rules = policy.load(call.given.get("policy"))
    below = backend.named(container.backend)
    number, _ = call.kvm_place(below)
    rewriter = Rewriter(Rootfs(_root_of(container, container_id)), number, rules)
    caps = allowed(call.options.all("cap"), rules)
    options = call.options.without("cap")
    options.items += [("cap", cap) for cap in caps]
    path = options.get("process")
    if path is None:
        args = _command(call, container, args, rewriter)
    else:
        fd = bundle.in_memory(rewriter.process(_load_process(path)), above=number)
        options = options.without("process")
        options.items.append(("process", f"/proc/self/fd/{fd}"))
    call.become_with_kvm(below, options, [container_id, *args])


def _command(call: Call, container: Container, args: list[str], rewriter: Rewriter) -> list[str]:
    """Return the command line ARGS, which came without a process document, in a VM."""
    if not args:
        raise KrunError("exec has no program to run", "write `krun exec ID PROGRAM [ARG...]`")
    process = container.process()
    env = [*document.strings(process, "env", "process."), *call.options.all("env")]
    cwd = call.options.get("cwd")
    if cwd is None and container.backend == "runc":  # crun's exec begins at the root instead
        cwd = document.member(process, "cwd", str, "process.")
    return rewriter.command(args, env, cwd or "/")


def _load_process(path: str) -> dict[str, object]:
    try:
        return document.load(path)
    except OSError as reason:
        raise KrunError(
            f"cannot read the process document {path}: {bundle.why(reason)}",
            "name a file that has one with --process",
        ) from None


def _root_of(container: Container, container_id: str) -> int:
    """Return a descriptor of the root of a running container that krun made.

    The mount of km proves that it did, for no image can make a mount; without it no exec is done.
    """
    pid, _ = container.load()
    try:
        if pid <= 0:
            raise ProcessLookupError
        table = document.read(f"/proc/{pid}/mountinfo").decode(errors="surrogateescape")
        fd = posix.open(f"/proc/{pid}/root", posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC)
    except OSError:
        raise KrunError(
            f"cannot exec in {container_id}: container is not running",
            f"start it again; `krun state {container_id}` tells its state",
        ) from None
    if not any(line.split(" ")[4] == mounts.KM for line in table.splitlines()):
        raise KrunError(
            f"cannot exec in {container_id}: it has no km at {mounts.KM}, so krun did not make it",
            "use the runtime that made the container",
        )
    return fd
