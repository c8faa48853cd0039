# SPDX-License-Identifier: Apache-2.0
"""containerd, as a check sees it: its view of its files, and a container in its own namespace."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, List, Optional, Tuple

from ..host import HELLO, Host
from ..programs import Output
from ..results import Result, warned
from . import cgroups
from .engine import RUNTIME, Engine, files_in

if TYPE_CHECKING:
    from ..toml_text import Key

CONFIG = "/etc/containerd/config.toml"
FOLDER = "/etc/containerd/conf.d"
SOCKET = "/run/containerd/containerd.sock"

_PROGRAM = ("containerd", "runtimes", RUNTIME, "options", "BinaryName")
"""How the key of the runtime's program ends; before it is a plugin's name, which has changed."""
_SHOWN = 5


class Containerd(Engine):
    """containerd, which Kubernetes asks for containers by the CRI; here ctr asks."""

    name = label = program = "containerd"
    client = "ctr"
    socket = SOCKET
    oldest, reason = (1, 3), "it has the runc shim v2"
    registers_itself = False
    configurations = (CONFIG,)
    folders = (FOLDER,)

    def socket_path(self) -> str:
        """Return the path of the socket; CONTAINERD_ADDRESS may name another, as ctr(8) has it."""
        return os.environ.get("CONTAINERD_ADDRESS") or self.socket

    def programs(self, host: Host) -> List[str]:
        """Return the program of the runtime.

        containerd says itself what it makes of its files; where it cannot, the usual files are read.
        """
        with contextlib.suppress(OSError):
            dump = host.run(host.which(self.program), "config", "dump")
            if dump.status == 0:
                return last_strings([dump.stdout], _PROGRAM)
        files = [CONFIG, *files_in(host, FOLDER, ".toml")]
        return last_strings([host.read_or(path) for path in files], _PROGRAM)

    def misuse(self, host: Host) -> Optional[Result]:
        """Return a warning of containers that are in other control groups than they are to be."""
        found = cgroups.misplaced(host)
        if not found:
            return None
        shown = "; ".join(f"process {one.pid} is in {one.found}" for one in found[:_SHOWN])
        return warned(
            f"containers are not in the control groups that containerd asks for: {shown}",
            f"the limits of their pods do not hold; the first belongs in …{found[0].wanted[:-1]}, as the "
            "default runtime has it: SystemdCgroup of their runtime is not as the kubelet's driver",
            "run `kontain register containerd`, `systemctl restart containerd`, then recreate "
            "these pods; where it is not Kontain's, set SystemdCgroup of that runtime in containerd's "
            "configuration",
            processes=[one.pid for one in found],
        )

    def run(self, host: Host) -> Output:
        """Run the payload in a namespace of its own, without an image."""
        from .. import containers  # noqa: PLC0415  # 20 ms that only proofs need pay

        with containers.workplace(host) as place:
            name = containers.unique_name()
            ctr = [host.which(self.client), "--address", self.socket_path(), "--namespace", name]
            options = ["--rm", "--rootfs", "--runc-binary", *self.programs(host)]
            words = [*ctr, "run", *options, f"{place}/rootfs", name, f"/{HELLO}"]
            try:
                return host.run(*words, limit_s=containers.RUN_LIMIT_S)
            finally:
                for verb in (
                    (
                        "tasks",
                        "rm",
                        "--force",
                        name,
                    ),  # what a run to its end has removed is no error
                    ("containers", "rm", name),
                    ("namespaces", "rm", name),
                ):
                    host.run(*ctr, *verb, limit_s=containers.CLEANUP_LIMIT_S)
                for folder in _traces(host, name):
                    containers.remove_empty(host.place(folder))


CONTAINERD = Containerd()


def last_strings(texts: List[str], ending: Tuple[str, ...]) -> List[str]:
    """Return the value whose key ends so, of the last of the TOML texts that has it; none where none has.

    A text that is no TOML has none: its engine does not load it.
    """
    from ..toml_text import Document, TomlError  # noqa: PLC0415  # hosts without these engines need not pay

    found: List[str] = []
    for text in texts:
        with contextlib.suppress(TomlError):
            document = Document(text)
            paths: List[Key] = [one.path for one in document.statements if one.kind == "key"]
            for path in paths:
                if path[-len(ending) :] == ending:
                    found = [str(document.value(path))]
    return found


def _traces(host: Host, namespace: str) -> List[str]:
    """Return the empty folders that containerd leaves of a namespace that is gone."""
    runc, tasks = "/run/containerd/runc", "containerd/io.containerd.runtime.v2.task"
    parents = [runc, f"/run/{tasks}", f"/var/lib/{tasks}"]
    parents += [mount.point for mount in host.mounts() if mount.kind.startswith("cgroup")]
    return [f"{parent}/{namespace}" for parent in parents] + [f"{runc}/{namespace}.bundles"]
