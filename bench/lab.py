# SPDX-License-Identifier: Apache-2.0
"""Every way to start a container, each with and without km: private engines, as in krun's tests.

Each pair has one backend: crun alone and under podman, runc under docker and containerd.
"""

from __future__ import annotations

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT), str(ROOT / "runenv")]

from tests.krun.containerd import Containerd  # noqa: E402 - these are found only now
from tests.krun.engines import DEBIAN, IMAGE, Docker, Engine, Podman, PrivateHost  # noqa: E402
from tests.krun.support import KRUN, BundleFolder  # noqa: E402


class Lab:
    """The engines, while they are entered; needs root and KVM."""

    def __init__(self, folder: Path) -> None:
        """Keep FOLDER, an empty one, for what they store."""
        self.folder = folder

    def __enter__(self) -> Lab:  # noqa: PYI034 - Python 3.9 has no Self
        """Start them."""
        for name in ("podman", "docker", "ctr"):
            (self.folder / name).mkdir()
        self.crun, self.runc = PrivateHost("crun"), PrivateHost("runc")
        self.podman = Podman(self.folder / "podman", self.crun)
        self.docker = Docker(self.folder / "docker", self.runc)
        self.containerd = Containerd(self.folder / "ctr", self.runc)
        self.bundle = BundleFolder(self.folder / "bundle").args("true")
        return self

    def __exit__(self, *reason: object) -> None:
        """Stop them."""
        for engine in (self.podman, self.docker, self.containerd):
            engine.close()
        for host in (self.crun, self.runc):
            host.close()

    def runs(self) -> dict[str, list[str]]:
        """Return for each way the command that runs `true` in a container called NAME."""
        alone = ["--root", str(self.folder / "state"), "run", "--bundle", self.bundle, "NAME"]
        made = {
            "crun": self.crun.command("crun", *alone),
            "krun": self.crun.command(str(KRUN), *alone),
        }
        run = ["run", "--rm", "--net=none", "--name=NAME"]
        for runtime in ("crun", "kontain"):
            words = [*self.podman.words(runtime), *run, IMAGE, "true"]
            made[f"podman, {runtime}"] = self.crun.command(*words)
        for runtime in ("runc", "kontain"):
            words = [*self.docker.words(""), *run, f"--runtime={runtime}", IMAGE, "true"]
            made[f"docker, {runtime}"] = self.runc.command(*words)
        ctr = ["ctr", "--address", f"{self.folder}/ctr/ctr.sock", "run", "--rm"]
        for runtime, more in (("runc", []), ("kontain", [f"--runc-binary={KRUN}"])):
            words = [*ctr, *more, f"localhost/{DEBIAN}", "NAME", "/usr/bin/true"]
            made[f"containerd, {runtime}"] = self.runc.command(*words)
        return made

    def networks(self) -> dict[str, list[str]]:
        """Return the same as `runs` for podman and docker, with the network that they make."""
        return {
            way.replace(",", " with a network,"): [word for word in words if word != "--net=none"]
            for way, words in self.runs().items()
            if way.startswith(("podman", "docker"))
        }

    def execs(self) -> dict[str, list[str]]:
        """Return for each way the command that runs `true` in a container that runs by then."""
        made = {}
        engines: list[tuple[str, Engine, str]] = [
            ("podman", self.podman, "crun"), ("docker", self.docker, "runc"),
        ]  # fmt: skip
        for name, engine, backend in engines:
            for runtime in (backend, "kontain"):
                done = engine.container("run", "-d", IMAGE, "sleep", "3600", runtime=runtime)
                words = [*engine.words(runtime), "exec", done.stdout.strip(), "true"]
                made[f"{name} exec, {runtime}"] = engine.host.command(*words)
        return made
