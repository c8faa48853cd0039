# SPDX-License-Identifier: Apache-2.0
"""Pods by containerd's CRI as a kubelet makes them, under any of its runtimes.

The field numbers are those of k8s.io/cri-api, pkg/apis/runtime/v1/api.proto.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from .containerd import Containerd, Field, message, parsed
from .engines import DEBIAN
from .support import PATIENCE

IMAGE = f"localhost/{DEBIAN}"
RUNNING, EXITED = 1, 2
POD, CONTAINER, NODE, TARGET = 0, 1, 2, 3  # NamespaceMode
_WAIT_S = 30


@dataclass(frozen=True)
class Options:
    """A container's settings besides its command: fields of its config, resources and security.

    `pid` and `ipc` say whose processes and System V objects it sees; with `pid` TARGET it sees those
    of the container `target`, as an ephemeral container of `kubectl debug --target` does.
    """

    config: Sequence[Field] = ()
    resources: Sequence[Field] = ()
    security: Sequence[Field] = ()
    pid: int = CONTAINER
    ipc: int = POD
    target: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a container ended: status, reason, and its log without times."""

    status: int
    reason: str
    log: str


@dataclass
class Pod:
    """A pod's sandbox that runs, on the node's network, for these machines may not have another.

    One with `users`, a UserNamespace of the CRI, has an empty network of its own.
    """

    containerd: Containerd
    runtime: str
    name: str
    cgroup: str = ""
    config: bytes = b""
    pid: int = CONTAINER
    ipc: int = POD
    privileged: bool = False
    users: bytes = b""
    sandbox: str = ""
    made: list[str] = field(default_factory=list)

    def start(self) -> None:
        """Run the sandbox."""
        metadata = message((1, self.name), (2, f"{self.name}-uid"), (3, "default"))
        spaces = self._spaces((2, self.pid), (3, self.ipc))
        security = message((1, spaces), (6, int(self.privileged)))
        linux = message((1, self.cgroup), (2, security))
        logs = str(self.containerd.folder)
        self.config = message((1, metadata), (3, logs), (8, linux))
        answer = self.containerd.cri("RunPodSandbox", (1, self.config), (2, self.runtime))
        self.sandbox = text(answer[1])

    def _spaces(self, *fields: Field) -> bytes:
        users = [(5, self.users)] if self.users else []
        return message((1, POD if self.users else NODE), *fields, *users)

    def create(self, name: str, command: Sequence[str], options: Options = Options()) -> str:
        """Create a container; return its ID."""
        spaces = self._spaces((2, options.pid), (3, options.ipc), (4, options.target))
        security = message(*options.security, (3, spaces))
        linux = message((1, message(*options.resources)), (2, security))
        words = [(3, word) for word in command]
        config = message(
            (1, message((1, name))), (2, message((1, IMAGE))), *words,
            *options.config, (11, f"{self.name}-{name}.log"), (15, linux),
        )  # fmt: skip
        call = ("CreateContainer", (1, self.sandbox), (2, config), (3, self.config))
        identity = text(self.containerd.cri(*call)[1])
        self.made.append(identity)
        return identity

    def run(self, name: str, command: Sequence[str], options: Options = Options()) -> Outcome:
        """Run a container to its end."""
        identity = self.create(name, command, options)
        self.containerd.cri("StartContainer", (1, identity))
        self.wait(identity)
        found = self.status(identity)
        reason = text(found.get(10, b""))
        return Outcome(int(found.get(7, 0)), reason, self.log(name))

    def wait(self, identity: str) -> None:
        """Wait until a container has ended."""
        end = time.monotonic() + _WAIT_S * PATIENCE
        while self.status(identity).get(3, 0) != EXITED:
            assert time.monotonic() < end, f"{identity} did not end"
            time.sleep(0.05)

    def status(self, identity: str) -> dict[int, bytes | int]:
        """Return the status of a container by field number."""
        answer = self.containerd.cri("ContainerStatus", (1, identity))[1]
        assert isinstance(answer, bytes)
        return parsed(answer)

    def log(self, name: str) -> str:
        """Return what a container wrote, each line after its stream."""
        lines = (self.containerd.folder / f"{self.name}-{name}.log").read_text().splitlines()
        words = [line.split(" ", 3) for line in lines]
        return "".join(f"{parts[1]}: {parts[3]}\n" for parts in sorted(words, key=lambda w: w[1]))

    def execute(self, identity: str, *words: str, limit_s: int = 20) -> tuple[int, str, str]:
        """Return status, output and errors of a command in a container, which has a time limit."""
        call = [(2, word) for word in words]
        answer = self.containerd.cri("ExecSync", (1, identity), *call, (3, limit_s))
        return int(answer.get(3, 0)), text(answer.get(1, b"")), text(answer.get(2, b""))

    def stop(self) -> None:
        """End all of it."""
        self.containerd.cri("StopPodSandbox", (1, self.sandbox))
        self.containerd.cri("RemovePodSandbox", (1, self.sandbox))


def text(value: bytes | int) -> str:
    """Return the text of a field."""
    assert isinstance(value, bytes)
    return value.decode()
