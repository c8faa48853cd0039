# SPDX-License-Identifier: Apache-2.0
"""The verb `exec`: one more process in a container that runs, in a VM of its own.

A program that the host's policy names for it runs directly instead, see `direct`.
"""

from __future__ import annotations

from krun import bundle, document, limits, mounts, namespace, policy, schema, state
from krun.backend import named
from krun.call import Call
from krun.errors import KrunError
from krun.options import Options
from krun.rewrite import Rewriter, allowed, options_of, without_sys_admin
from krun.rootfs import Rootfs
from krun.state import Container

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, NoReturn


class Joining:
    """A container that runs and was made by krun, as an `exec` needs to know it."""

    def __init__(self, call: Call, container_id: str) -> None:
        """Look at the container, whose mount of km proves that krun made it.

        No image can make a mount; without that one no exec is done.
        """
        self.call = call
        self.id = container_id
        self.container = state.get(call.root, container_id)
        self.pid, _ = self.container.load()
        self.root_fd, self.mounted = _look_into(self.pid, container_id)
        if mounts.KM not in self.mounted:
            raise KrunError(
                f"cannot exec in {container_id}: it has no km at {mounts.KM}, so krun did not "
                "make it",
                "use the runtime that made the container",
            )
        self.rules = policy.load(call.given.get("policy"))
        if self.rules.choices:
            config = self.container.config()
            self.rules.choose(document.member(config, "annotations", dict) or {})

        self.backend = named(self.container.backend)
        self.number, _ = call.kvm_place(self.backend)

    def directly(
        self, options: Options, process: dict[str, Any] | None, args: list[str]
    ) -> NoReturn:
        """Become the backend, which starts ARGS as they are, with the rest of PROCESS if given."""
        from krun import direct  # noqa: PLC0415 - few hosts have any

        if process is None:
            made = document.member(self.container.config(), "process", dict) or {}
            options_of_km = document.strings(made, "args", "process.")
            process = direct.process(limits.for_payload(made, options_of_km), options)
        env = direct.environment(document.strings(process, "env", "process."))
        doc = {**without_sys_admin(process, self.rules), "args": args, "env": env}
        options = _with_process(options, doc, above=self.number)
        self.call.become(self.backend, [*options.words(), self.id])

    def in_a_vm(
        self,
        options: Options,
        process: dict[str, Any] | None,
        args: list[str],
        watched: Iterable[str] = (),
        more_fd: int | None = None,
    ) -> NoReturn:
        """Become the backend, which starts km with ARGS, or with PROCESS if given.

        km gets the options WATCHED as well, and MORE_FD with the number after KVM's.
        """
        made = document.member(self.container.config(), "process", dict) or {}
        own = options_of(document.strings(made, "args", "process."))
        rewriter = Rewriter(Rootfs(self.root_fd), self.number, self.rules, [*own, *watched])
        if process is None:
            args = _command(self.call, self.container, args, rewriter)
        else:
            options = _with_process(options, rewriter.process(process), above=self.number + 1)
        self.call.become_with_kvm(self.backend, options, [self.id, *args], more_fd=more_fd)


def execute(call: Call) -> NoReturn:
    """Become the backend that starts the process, with km or a direct program as its program."""
    if not call.arguments:
        raise KrunError("exec needs a container ID", "write `krun exec ID PROGRAM [ARG...]`")
    container_id, *args = call.arguments
    joining = Joining(call, container_id)
    caps = allowed(call.options.all("cap"), joining.rules)
    options = call.options.without("cap")
    options.items += [("cap", cap) for cap in caps]
    path = options.get("process")
    process = None if path is None else load_process(path)
    asked = args if process is None else document.strings(process, "args", "process.")
    if joining.rules.direct:
        from krun import direct  # noqa: PLC0415 - few hosts have any

        program = direct.find(asked, joining.rules, joining.mounted)
        if program is not None:
            direct.note(asked, joining.rules, call.root, container_id)
            joining.directly(options, process, [program, *asked[1:]])
    joining.in_a_vm(options, process, args)


def _with_process(options: Options, process: dict[str, Any], *, above: int) -> Options:
    """Return OPTIONS with PROCESS as the process document."""
    fd = document.in_memory(process, above=above)
    options = options.without("process")
    options.items.append(("process", f"/proc/self/fd/{fd}"))
    return options


def _command(call: Call, container: Container, args: list[str], rewriter: Rewriter) -> list[str]:
    """Return the command line ARGS, which came without a process document, in a VM."""
    if not args:
        raise KrunError("exec has no program to run", "write `krun exec ID PROGRAM [ARG...]`")
    process = document.member(container.config(), "process", dict) or {}
    env = [*document.strings(process, "env", "process."), *call.options.all("env")]
    cwd = call.options.get("cwd")
    if cwd is None and container.backend == "runc":  # crun's exec begins at the root instead
        cwd = document.member(process, "cwd", str, "process.")
    return rewriter.command(args, env, cwd or "/")


def load_process(path: str) -> dict[str, Any]:
    """Return the process document of the file PATH, of members that krun knows."""
    try:
        process = document.load(path, pipe=True)
    except OSError as reason:
        raise KrunError(
            f"cannot read the process document {path}: {bundle.why(reason)}",
            "name a file that has one with --process",
        ) from None
    known: dict[str, Any] = schema.known({"process": process}, {"process": schema.PROCESS})
    return known["process"]  # type: ignore[no-any-return]


def _look_into(pid: int, container_id: str) -> tuple[int, set[str]]:
    """Return a descriptor of the root of the container of process PID, and where mounts are in it."""
    try:
        return namespace.look_into(pid)
    except OSError:
        raise KrunError(
            f"cannot exec in {container_id}: container is not running",
            f"start it again; `krun state {container_id}` tells its state",
        ) from None
