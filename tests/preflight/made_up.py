# SPDX-License-Identifier: Apache-2.0
"""Machines that are made up: a folder as their root, and a KVM that says what a test wants."""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from pathlib import Path

from kontain_preflight.host import Host, User
from kontain_preflight.kvm import WANTED_OUTPUT, Kvm

ROOT = User(0, "root", (0,))
ALICE = User(1000, "alice", (1000,))

MOUNTS = {
    "v1": "tmpfs@/sys/fs/cgroup cgroup@/sys/fs/cgroup/memory",
    "hybrid": "tmpfs@/sys/fs/cgroup cgroup@/sys/fs/cgroup/memory cgroup2@/sys/fs/cgroup/unified",
    "v2": "cgroup2@/sys/fs/cgroup",
    "": "",
}


class MadeUpKvm(Kvm):
    """A KVM whose every answer a test can choose; `failures` are raised by the method they name."""

    def __init__(
        self,
        version: int = 12,
        missing: tuple[int, ...] = (),
        failures: Mapping[str, Exception] | None = None,
        output: bytes = WANTED_OUTPUT,
    ) -> None:
        """Keep the answers; opens nothing."""
        self.version, self.missing, self.output = version, missing, output
        self.failures = failures or {}
        self.closed = False

    def api_version(self) -> int:
        """Return the chosen version."""
        return self.version

    def extension(self, number: int) -> int:
        """Have every capability but the missing ones."""
        return 0 if number in self.missing else 1

    def create_vm(self) -> None:
        """Make nothing, or fail as chosen."""
        self._fail("create_vm")

    def create_vcpu(self) -> None:
        """Make nothing, or fail as chosen."""
        self._fail("create_vcpu")

    def run_guest(self) -> bytes:
        """Return the chosen output, or fail as chosen."""
        self._fail("run_guest")
        return self.output

    def close(self) -> None:
        """Remember that it was closed."""
        self.closed = True

    def _fail(self, method: str) -> None:
        if method in self.failures:
            raise self.failures[method]


class MadeUpHost(Host):
    """A good host with nothing installed, until a test changes it."""

    def __init__(self, root: Path, prefix: str | None = None) -> None:
        """Make the files of a good host below `root`."""
        super().__init__(str(root), prefix)
        self.folder = root
        self.machine, self.release_of_kernel = "x86_64", "6.1.0-21-amd64"
        self.me = ROOT
        self.made_up_kvm: Kvm | OSError = MadeUpKvm()
        self.device: tuple[int, int] | None = (stat.S_IFCHR | 0o660, 104)  # mode, group
        self.device_number = os.makedev(10, 232)
        self.space = (100_000, 0)  # MiB, flags
        self.write("/usr/bin/python3", "#!/bin/sh\necho Python 3.11.2\n")
        self.mount("v2")

    def write(self, path: str, text: str) -> None:
        """Make a file, executable where it is a program."""
        place = Path(self.place(path))
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text, encoding="utf-8")
        place.chmod(0o755)

    def program(self, path: str, output: str, status: int = 0) -> None:
        """Make a program that prints something."""
        self.write(path, f"#!/bin/sh\ncat <<'END'\n{output}\nEND\nexit {status}\n")

    def mount(self, mode: str) -> None:
        """Mount control groups in a mode."""
        lines = ["1 0 8:1 / / rw - ext4 /dev/sda1 rw"]
        for number, mount in enumerate(MOUNTS[mode].split()):
            kind, _, point = mount.partition("@")
            lines.append(f"{number + 2} 1 0:{number} / {point} rw,relatime - {kind} {kind} rw")
        self.write("/proc/self/mountinfo", "\n".join(lines) + "\n")

    def cpu(self, flags: str, *modules: str) -> None:
        """Give the host a CPU with these flags, and these modules."""
        self.write("/proc/cpuinfo", f"processor\t: 0\nflags\t\t: fpu {flags}\n\n")
        for module in modules:
            Path(self.place(f"/sys/module/{module}")).mkdir(parents=True)

    def uname(self) -> os.uname_result:
        """Return the chosen kernel and machine."""
        return os.uname_result(("Linux", "host", self.release_of_kernel, "#1", self.machine))

    def user(self) -> User:
        """Return the chosen user."""
        return self.me

    def open_kvm(self) -> Kvm:
        """Return the chosen KVM, or fail as chosen."""
        if isinstance(self.made_up_kvm, OSError):
            raise self.made_up_kvm
        return self.made_up_kvm

    def stat(self, path: str) -> os.stat_result:
        """Return what was chosen for /dev/kvm, and the truth of other files."""
        if path != "/dev/kvm":
            return super().stat(path)
        if self.device is None:
            raise FileNotFoundError(2, "No such file or directory", path)
        mode, group = self.device
        status = (mode, 0, 0, 1, 0, group, 0, 0, 0, 0)
        return os.stat_result(status, {"st_rdev": self.device_number})

    def statvfs(self, path: str) -> tuple[str, os.statvfs_result]:
        """Return a file system with the chosen space."""
        mib, flags = self.space
        return path, os.statvfs_result(
            (4096, 4096, mib * 256, mib * 256, mib * 256, 9, 9, 9, flags, 255)
        )
