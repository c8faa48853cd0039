# SPDX-License-Identifier: Apache-2.0
"""The ways to run a program that bench/peers.py compares: on the host, and by each runtime.

All run the same programs of this host: its root file system is the containers', below a layer of
memory that takes what they write, and their network is the host's.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from contextlib import ExitStack, contextmanager
from pathlib import Path

import idle
import machine

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.krun.support import CRUN_VIEW, KRUN  # noqa: E402 - found only now

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

GVISOR = ("--platform=systrap", "--network=host", "--ignore-cgroups")
LIMIT_S = 300
GROUP = "kontain-bench"


def _remove_groups(name: str, keep: Path | None = None) -> None:
    """Remove the control groups NAME that runtimes made in any hierarchy, all but KEEP."""
    for made in [*idle.CGROUP.glob(f"{name}"), *idle.CGROUP.glob(f"*/{name}")]:
        for left in made.iterdir():
            if left.is_dir() and left.name != "self":
                left.rmdir()
        if made != keep:
            made.rmdir()


@contextmanager
def _before_others() -> Iterator[None]:
    """Run this process, and all containers, in one control group that comes before other work."""
    cpu = next(path for path in (idle.CGROUP / "cpu", idle.CGROUP) if path.is_dir())
    own = cpu / GROUP / "self"
    own.mkdir(parents=True)
    weight = cpu / GROUP / "cpu.shares"
    if weight.exists():
        weight.write_text("262144")
    (own / "cgroup.procs").write_text(str(os.getpid()))
    try:
        yield
    finally:
        (cpu / "cgroup.procs").write_text(str(os.getpid()))
        own.rmdir()


class Peer:
    """One way to run: by RUNTIME, the words before a runtime's verb, or without one on the host."""

    def __init__(self, name: str, runtime: list[str], folder: Path) -> None:
        """Keep bundles and state of this way below FOLDER."""
        self.name = name
        self.folder = folder / name
        self.folder.mkdir()
        self.root = folder / "rootfs"
        self.data = folder / "data"
        self.runtime = [*runtime, "--root", str(self.folder / "state")] if runtime else []
        self.count = 0

    def version(self) -> str:
        """Return the first line of the runtime's version, or the kernel's."""
        if not self.runtime:
            return f"Linux {machine.facts()['kernel']}"
        words = [*self.runtime[:-2], "--version"]
        said = subprocess.run(words, capture_output=True, text=True, check=True)
        return said.stdout.splitlines()[0]

    def _bundle(self, command: list[str], cgroup: str) -> str:
        """Write a bundle that runs COMMAND, and return its path."""
        self.count += 1
        bundle = self.folder / f"bundle{self.count}"
        bundle.mkdir()
        subprocess.run(["runc", "spec"], cwd=bundle, check=True)
        doc = json.loads((bundle / "config.json").read_text())
        doc["process"].update(terminal=False, args=command, rlimits=[], cwd="/")
        doc["root"] = {"path": str(self.root), "readonly": False}
        bind = {"destination": str(self.data), "source": str(self.data), "type": "bind"}
        doc["mounts"].append({**bind, "options": ["rbind", "rw"]})
        spaces = doc["linux"]["namespaces"]
        doc["linux"]["namespaces"] = [one for one in spaces if one["type"] != "network"]
        doc["linux"]["cgroupsPath"] = f"{cgroup}/{self.name}{self.count}"
        (bundle / "config.json").write_text(json.dumps(doc))
        return str(bundle)

    def command(self, command: list[str], cgroup: str = f"/{GROUP}") -> list[str]:
        """Return the words that run COMMAND until its end; each call's are for one use."""
        if not self.runtime:
            return command
        bundle = self._bundle(command, cgroup)
        return [*self.runtime, "run", "--bundle", bundle, f"{self.name}{self.count}"]

    def output(self, command: list[str]) -> str:
        """Run COMMAND to its end and return what it prints.

        Raises:
            RuntimeError: it fails; with what it says.
        """
        done = subprocess.run(
            self.command(command),
            stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=LIMIT_S,
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"{self.name}: {command[0]}: {done.stderr.strip()[-300:]}")
        return done.stdout

    @contextmanager
    def service(self, command: list[str], group: Path | None = None) -> Iterator[None]:
        """Run COMMAND, which prints `ready` or nothing, behind this; below the control GROUP.

        What of a runtime stays is what an engine would keep: no process that only waits for its end.
        """
        words = self.command(command, f"/{group.name if group else GROUP}")
        name = f"{self.name}{self.count}"
        if self.runtime:
            words.insert(words.index("run") + 1, "--detach")

        def join() -> None:
            if group:
                (group / "self" / "cgroup.procs").write_text(str(os.getpid()))

        with subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
            preexec_fn=join,  # noqa: PLW1509 - one thread
        ) as process:  # fmt: skip
            try:
                if group and process.stdout:
                    process.stdout.readline()
                yield
            finally:
                process.kill()
                for verb in (["kill", name, "KILL"], ["delete", "--force", name]):
                    if self.runtime:
                        subprocess.run([*self.runtime, *verb], capture_output=True, check=False)

    def bytes_of_idle(self, command: list[str], few: int, many: int) -> float:
        """Return the host's memory that one more of a COMMAND takes, which prints `ready` and waits.

        It is the slope between FEW and MANY of them; kernel memory counts, too.

        Raises:
            OSError: no memory controller is there.
        """
        used = []
        with idle.group() as group:
            (group / "self").mkdir()
            with ExitStack() as stack:
                for count in range(1, many + 1):
                    stack.enter_context(self.service(command, group))
                    if count in (few, many):
                        used.append(idle.settled(group))
            _remove_groups(group.name, keep=group)
            (group / "self").rmdir()
        return (used[1] - used[0]) / (many - few)


@contextmanager
def peers(gvisor: Path | None) -> Iterator[list[Peer]]:
    """Yield all ways that this host has, as root; GVISOR is the program runsc."""
    with tempfile.TemporaryDirectory(prefix="kontain-peers") as name, ExitStack() as stack:
        folder = Path(name)
        folder.chmod(0o755)
        for part in ("layer", "rootfs", "data"):
            (folder / part).mkdir()
        mounts = [["-t", "tmpfs", "tmpfs", str(folder / part)] for part in ("layer", "data")]
        layers = f"lowerdir=/,upperdir={folder}/layer/upper,workdir={folder}/layer/work"
        mounts.append(["-t", "overlay", "-o", layers, "overlay", str(folder / "rootfs")])
        for words in mounts:
            subprocess.run(["mount", *words], check=True)
            stack.callback(subprocess.run, ["umount", words[-1]], check=True)
            for part in ("upper", "work") if words[-1].endswith("layer") else ():
                (folder / "layer" / part).mkdir()
        policy = folder / "krun.json"
        policy.write_text(json.dumps({"backend": "runc"}))
        view = ["unshare", "-m", "--propagation", "private", "sh", "-c", CRUN_VIEW, "sh"]
        ways: dict[str, list[str]] = {"native": [], "runc": ["runc"], "crun": [*view, "crun"]}
        if gvisor:
            ways["gVisor"] = [str(gvisor), *GVISOR]
        ways["kontain"] = [str(KRUN), "--policy", str(policy)]
        stack.callback(_remove_groups, GROUP)
        stack.enter_context(_before_others())
        yield [Peer(way, words, folder) for way, words in ways.items()]
