# SPDX-License-Identifier: Apache-2.0
"""Helpers of the tests of krun: a runtime over one backend, and bundles."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.folders import open_to_users

ROOT = Path(__file__).resolve().parents[2]
KRUN = ROOT / "build" / "krun" / "bin" / "krun"
SCRIPT = ROOT / "krun" / "bin" / "krun"
"""The Python program, which KRUN, the launcher, becomes where the backend is not enough."""
KM = ROOT / "build" / "km" / "km"
BUSYBOX = Path("/bin/busybox")
APPLETS = ("cat", "echo", "id", "ls", "sh", "sleep", "true", "uname")
IN_A_VM = ".kontain.KVM"
PATIENCE = float(os.environ.get("KRUN_TEST_PATIENCE", "1"))
"""How many times longer than usual everything may take: more on an emulated CPU."""

ID = f"c{os.getpid()}"
"""The container of a test: its control groups have this name, which no other run of tests uses."""

FOREVER = str(int(300 * PATIENCE))
"""How many seconds a program sleeps that a test ends: longer than the test."""

# crun refuses hybrid cgroups, so there it gets a view without version 2.
CRUN_VIEW = (
    "if [ -e /sys/fs/cgroup/unified/cgroup.procs ]; then umount /sys/fs/cgroup/unified; fi;"
    ' exec "$@"'
)


def need_programs(*names: str) -> None:
    """Skip a test on a machine without the programs NAMES."""
    for name in names:
        if not shutil.which(name, path="/usr/bin:/usr/sbin:/bin:/sbin:/usr/local/bin"):
            pytest.skip(f"{name} is missing: install its Debian package")


class Runtime:
    """krun over one backend, with its own root for the state of containers."""

    def __init__(self, backend: str, folder: Path) -> None:
        """Write the policy that asks for BACKEND below FOLDER, where the state goes too."""
        self.backend = backend
        self.root = folder / "state"
        self.policy = folder / "krun.json"
        self.set_policy({})
        view = ["unshare", "-m", "--propagation", "private", "sh", "-c", CRUN_VIEW, "sh"]
        self.before = view if backend == "crun" else []
        self.words = ["--root", str(self.root), "--policy", str(self.policy)]

    def set_policy(self, policy: dict[str, Any]) -> None:
        """Make POLICY the host's."""
        self.policy.write_text(json.dumps({"backend": self.backend, **policy}))

    def __call__(self, *words: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Call krun with WORDS; OPTIONS are those of subprocess.run."""
        options = {"capture_output": True, "text": True, "timeout": 60 * PATIENCE, **options}
        options.setdefault("stdin", subprocess.DEVNULL)
        return subprocess.run(self.command(*words), check=False, **options)

    def command(self, *words: str) -> list[str]:
        """Return the command that calls krun with WORDS."""
        return [*self.before, str(KRUN), *self.words, *words]

    def bare(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call the backend alone, with a pipe: crun gives the container's user the host's null device."""
        command = [*self.before, self.backend, "--root", str(self.root), *words]
        return subprocess.run(
            command, input="", capture_output=True, text=True, timeout=60 * PATIENCE, check=False
        )

    def create(self, *words: str) -> int:
        """Call `create`, whose container keeps no pipe of ours, and return its status."""
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        return self("create", *words, capture_output=False, **quiet).returncode

    def state(self, container_id: str) -> dict[str, Any]:
        """Return the state of a container."""
        found: dict[str, Any] = json.loads(self("state", container_id).stdout)
        return found


class BundleFolder:
    """A bundle whose configuration a test may change before it is used."""

    def __init__(self, path: Path) -> None:
        """Make a bundle at PATH with busybox, and the configuration that runc proposes."""
        self.path = path
        self.rootfs = path / "rootfs"
        (self.rootfs / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, self.rootfs / "bin" / "busybox")
        for applet in APPLETS:
            (self.rootfs / "bin" / applet).symlink_to("busybox")
        subprocess.run(["runc", "spec"], cwd=path, check=True)
        self.doc: dict[str, Any] = json.loads((path / "config.json").read_text())
        self.doc["process"]["terminal"] = False
        self.doc["process"]["rlimits"] = []
        self.write()

    def write(self) -> None:
        """Write the configuration."""
        (self.path / "config.json").write_text(json.dumps(self.doc))

    def args(self, *args: str) -> str:
        """Make ARGS the container's command, and return the bundle's path."""
        self.doc["process"]["args"] = list(args)
        self.write()
        return str(self.path)

    def script(self, name: str, text: str) -> None:
        """Put an executable file NAME with TEXT into the image."""
        path = self.rootfs / name
        path.write_text(text)
        path.chmod(0o755)


def start(runtime: Runtime, bundle: BundleFolder, *args: str) -> int:
    """Start a container ID with the command ARGS and return its process ID."""
    assert runtime.create("--bundle", bundle.args(*args), ID) == 0
    assert runtime("start", ID).returncode == 0
    pid: int = runtime.state(ID)["pid"]
    return pid


def wait_until(holds: Callable[[], bool], what: str = "what is awaited does not come") -> None:
    """Wait until what HOLDS does so, or fail with the words WHAT."""
    end = time.monotonic() + 60 * PATIENCE
    while not holds():
        assert time.monotonic() < end, what
        time.sleep(0.05)


def wait_for(runtime: Runtime, container_id: str, status: str) -> None:
    """Wait until a container has STATUS."""
    has = f"{container_id} is not {status}"
    wait_until(lambda: bool(runtime.state(container_id)["status"] == status), has)


def add_user_namespace(bundle: BundleFolder) -> None:
    """Give the bundle's container a user namespace whose root is user 100000 of the host."""
    ids = [{"containerID": 0, "hostID": 100000, "size": 65536}]
    bundle.doc["linux"]["namespaces"].append({"type": "user"})
    bundle.doc["linux"].update(uidMappings=ids, gidMappings=ids)
    open_to_users(bundle.path)
    os.chown(bundle.rootfs, 100000, 100000)
