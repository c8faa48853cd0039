# SPDX-License-Identifier: Apache-2.0
"""krun's changes of a configuration, and of the process document of an `exec`."""

from __future__ import annotations

import posix

from krun import document, helpers, limits, mounts, release, resolve
from krun.errors import KrunError
from krun.policy import Policy
from krun.rootfs import Rootfs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

_HIDE, _SECCOMP = "--hide-noexec", "--seccomp"  # options of km(1)
_SETS = ("bounding", "effective", "inheritable", "permitted", "ambient")
_SYS_ADMIN = "CAP_SYS_ADMIN"
_CAP_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_")

_ROOM_FOR_HOOKS = 32  # processes and threads, with some to spare

# Hooks get the container's state on standard input and must read it, or crun sometimes fails.
_DRAIN = "while read -r line; do :; done; "


class Rewriter:
    """Turns documents that start a payload into documents that start km with that payload.

    TREE is what the container sees, and KVM_FD the number by which its process has KVM. km gets
    the OPTIONS that it had from the container's configuration, too.
    """

    def __init__(
        self, tree: Rootfs, kvm_fd: int, policy: Policy, options: Iterable[str] = ()
    ) -> None:
        """Keep what every document of one container needs."""
        self.options = list(options)
        self.tree = tree
        self.kvm_fd = kvm_fd
        self.policy = policy

    def container(
        self,
        doc: dict[str, Any],
        *,
        backend: str,
        bundle_fd: int,
        rootfs: str,
        own: tuple[str, str],
    ) -> dict[str, Any]:
        """Return the configuration DOC of a bundle for the BACKEND of this name and a root ROOTFS.

        OWN are the paths of the monitor, km, and of the launcher, which is a hook too.
        """
        km, launcher = own
        given = document.objects(doc, "mounts")
        mounts.check(given)
        linux = document.member(doc, "linux", dict) or {}
        mounts.check_namespace(linux)
        process = document.member(doc, "process", dict) or {}
        root = document.member(doc, "root", dict) or {}
        outside = mounts.has_users(linux) or leaves_no_room(linux)
        if outside:
            mounts.check_read_only(linux, given)
        linux = helpers.read_only(linux, given)
        doc = {**doc, "linux": linux}
        hidden = mounts.hidden(self.tree, given, linux, backend)
        self.options = [word for path in hidden for word in (_HIDE, path)]
        doc = self._with_profile(self._with_room(doc), linux)
        programs = [mounts.of_host(km), *self._direct_programs()]
        process = self.process(process)
        if self.policy.snapshots:
            from krun import warm  # noqa: PLC0415 - few hosts have any

            snapshot = warm.find(self.policy, self.tree, process, km, linux)
            if snapshot:
                programs.append(mounts.of_host(snapshot, warm.PLACE))
                process = warm.instead(process)
        places = [program["destination"] for program in programs]
        read_only = bool(root.get("readonly"))
        stage, options = noexec_stage(read_only=read_only, outside=outside)
        if read_only:
            for folder in _late_folders(process, backend):
                options += ["--folder", folder]
        if mounts.has_own(linux, "pid"):
            options.append("--seal-memory")
        hook = {"path": launcher, "args": ["krun-noexec", *options, rootfs, *places]}
        hooks = document.member(doc, "hooks", dict) or {}
        check_hooks(hooks)
        annotations = document.member(doc, "annotations", dict)
        if annotations:
            doc = {**doc, "annotations": self.policy.handed_on(annotations)}
        return {
            **doc,
            "process": process,
            "root": {**root, "readonly": False},
            "mounts": [
                *mounts.restrict(given, bundle_fd),
                *programs,
            ],
            "hooks": with_hook(hooks, stage, hook),
        }

    def _with_room(self, doc: dict[str, Any]) -> dict[str, Any]:
        """Return DOC with a low limit of processes that leaves the container as many as it says."""
        linux = document.member(doc, "linux", dict) or {}
        resources = document.member(linux, "resources", dict, "linux.") or {}
        roomy = with_room(resources)
        if roomy is resources:
            return doc
        self.options.append(limits.FEW)
        return {**doc, "linux": {**linux, "resources": roomy}}

    def _with_profile(self, doc: dict[str, Any], linux: dict[str, Any]) -> dict[str, Any]:
        """Return DOC, whose member LINUX is, with a seccomp profile that leaves km what it needs."""
        profile = document.member(linux, "seccomp", dict, "linux.")
        if profile is None:
            return doc
        from krun import seccomp  # noqa: PLC0415 - not every container has one

        for_host, for_payload = seccomp.adapt(profile)
        if not for_payload:
            return doc
        self.options += [_SECCOMP, for_payload]
        return {**doc, "linux": {**linux, "seccomp": for_host}}

    def _direct_programs(self) -> list[dict[str, Any]]:
        if not self.policy.direct:
            return []
        from krun import direct  # noqa: PLC0415 - few hosts have any

        return direct.mounts_of(self.policy)

    def process(self, process: dict[str, Any]) -> dict[str, Any]:
        """Return the document PROCESS with km as its program."""
        args = document.strings(process, "args", "process.")
        if not args:
            raise KrunError(
                "the container's configuration is wrong: process.args is missing or empty",
                "name a program to run",
            )
        env = document.strings(process, "env", "process.")
        cwd = document.member(process, "cwd", str, "process.") or "/"
        process, words = limits.for_host(process)
        kept = [word for word in self.options if word not in (limits.APART, *words)]
        self.options = [*kept, *words]
        return {
            **without_sys_admin(process, self.policy),
            "args": self.command(args, env, cwd),
        }

    def command(self, args: list[str], env: list[str], cwd: str) -> list[str]:
        """Return the command that runs ARGS in a VM, inside the container."""
        payload = resolve.resolve(self.tree, args, env, cwd)
        kvm = ["--kvm-fd", str(self.kvm_fd)]
        return [mounts.KM, *self.policy.km_options, *kvm, *self.options, *payload]


def options_of(args: list[str]) -> list[str]:
    """Return the options of the Rewriter that made the command ARGS."""
    known = args[: args.index("--argv0")] if "--argv0" in args else []
    pairs = zip(known, known[1:])
    valued = [word for pair in pairs if pair[0] in (_HIDE, _SECCOMP) for word in pair]
    return [word for word in (limits.FEW, limits.APART) if word in known] + valued


def without_sys_admin(process: dict[str, Any], policy: Policy) -> dict[str, Any]:
    """Return PROCESS without the capability that could remount a noexec file system, or refuse."""
    sets = document.member(process, "capabilities", dict, "process.") or {}
    held = {name: document.strings(sets, name, "process.capabilities.") for name in _SETS}
    kept = {name: allowed(caps, policy) for name, caps in held.items() if name in sets}
    return {**process, "capabilities": {**sets, **kept}} if kept else process


def allowed(caps: list[str], policy: Policy) -> list[str]:
    """Return which of CAPS a process may have, or refuse all where the host's policy does.

    crun reads a name in any case, and for the option `--cap` both read it without its prefix. It also
    reads a number, and a name up to a character that none has (libcap's cap_from_name).
    """
    for cap in caps:
        if not _CAP_CHARACTERS.issuperset(cap):
            raise KrunError(
                f"the container's configuration is wrong: {cap!a} is not the name of a capability",
                "name it as capabilities(7) does, CAP_KILL for one",
            )
    kept = [cap for cap in caps if cap.upper() not in (_SYS_ADMIN, _SYS_ADMIN[len("CAP_") :])]
    if policy.sys_admin == "allow":
        return caps
    if kept != caps and policy.sys_admin == "refuse":
        raise KrunError(
            f"cannot keep the container in its VM: it is privileged: {_SYS_ADMIN} could make the "
            "image's programs executable outside of it",
            'leave out --privileged, or set "sys_admin" to "drop" in krun.json(5)',
        )
    return kept


def check_hooks(hooks: dict[str, Any]) -> None:
    """Refuse HOOKS that are programs of the image, which may run in a VM alone."""
    if document.objects(hooks, "startContainer", "hooks."):
        raise KrunError(
            "cannot keep the container in its VM: hooks.startContainer would run a program of the "
            "image outside of it",
            "leave it out, or make it a hook createContainer, with a program of the host",
        )


def leaves_no_room(linux: dict[str, Any]) -> bool:
    """Say whether the limit of processes in LINUX is reached before a hook begins in the container.

    What runc itself is there has some seven threads.
    """
    limit = limit_of_processes(document.member(linux, "resources", dict, "linux.") or {})
    return limit is not None and 0 < limit < _ROOM_FOR_HOOKS


def limit_of_processes(resources: dict[str, Any]) -> int | None:
    """Return how many processes and threads RESOURCES let a container have, if they say so."""
    pids = document.member(resources, "pids", dict, "linux.resources.") or {}
    limit: int | None = document.member(pids, "limit", int, "linux.resources.pids.")
    return limit


def with_room(resources: dict[str, Any]) -> dict[str, Any]:
    """Return RESOURCES whose limit of processes, where it is low, leaves room for KVM as well."""
    limit = limit_of_processes(resources)
    if limit is None or not 0 < limit <= limits.FEW_PROCESSES:
        return resources
    return {**resources, "pids": {**resources["pids"], "limit": limit + limits.ROOM_FOR_KVM}}


def noexec_stage(*, read_only: bool, outside: bool) -> tuple[str, list[str]]:
    """Return the stage of the hook that makes all below the root noexec, and the hook's options.

    That is before the container is entered. The backend's own read-only remount would come later and
    drop noexec, so it is made here too. OUTSIDE, the hook begins in the host's namespaces and cgroup:
    where the container has users of its own, its root may not enter podman's folder of the bundle, in
    which crun 1.21 starts what it runs in the container's.
    """
    options = ["--outside"] * outside + ["--read-only"] * read_only
    return "createRuntime" if outside else "createContainer", options


def _late_folders(process: dict[str, Any], backend: str) -> list[str]:
    """Return what BACKEND would make in the root after the hook, when that is read-only already.

    That is the working directory of PROCESS, and crun's mount of systemd's socket for readiness
    (NOTIFY_SOCKET): its folder has the name of the caller's socket.
    """
    cwd = document.member(process, "cwd", str, "process.") or "/"
    socket = posix.environ.get(b"NOTIFY_SOCKET") if backend == "crun" else None
    folders = [cwd] if socket is None else [cwd, socket.decode()]
    return [folder for folder in folders if folder.startswith("/") and "\0" not in folder]


def removal_hook(folder: str) -> dict[str, Any]:
    """Return the hook that removes FOLDER when the container is deleted."""
    script = f'{_DRAIN}exec "$1" -rf -- "$2"'
    args = ["sh", "-c", script, "krun", host_program("rm"), folder]
    return {"path": host_program("sh"), "args": args}


def with_hook(hooks: dict[str, Any], stage: str, hook: dict[str, Any]) -> dict[str, Any]:
    """Return HOOKS with HOOK as the last one of STAGE."""
    return {**hooks, stage: [*document.objects(hooks, stage, "hooks."), hook]}


def host_program(name: str) -> str:
    """Return the path of the host's program NAME, which every Linux host has."""
    path = release.find_program(name)
    if path is None:
        raise KrunError(
            f"cannot make the container's hooks: this host has no program {name} in "
            + ", ".join(release.SEARCHED),
            f"install the distribution's package that has {name}",
        )
    return path
