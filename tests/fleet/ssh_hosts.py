# SPDX-License-Identifier: Apache-2.0
"""Real SSH hosts on this machine: each a copy of this system, in a network of its own, with its sshd.

A host is a sandbox (an overlay over / in its own mount and PID namespace) whose sshd runs in a
network namespace with one end of a veth pair; the other ends are ports of a bridge. Needs root.
"""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import List

from tests.collection.sandbox import Sandbox, why_not

# On this machine alone, and another in each process: two fleets may be there at once.
NETWORK = f"10.{192 + os.getpid() // 256 % 64}.{os.getpid() % 256}"
PROGRAMS = {"sshd": "openssh-server", "ssh": "openssh-client", "ip": "iproute2"}
SSHD = (
    "Port 22\nHostKey /run/sshd/key\nAuthorizedKeysFile /run/sshd/users\nStrictModes no\nUsePAM no\n"
    "PermitRootLogin yes\nPidFile none\nMaxStartups 100\n"
)


def missing() -> str:
    """Return why there can be no such hosts here, or nothing."""
    lacking = [package for program, package in PROGRAMS.items() if not shutil.which(program)]
    if lacking:
        return f"needs {', '.join(lacking)}: run `make deps`"
    return why_not()


def ip(*arguments: str) -> None:
    """Run ip."""
    subprocess.run(["ip", *arguments], check=True)


class SshHost:
    """One of them, until it is closed."""

    def __init__(self, name: str, address: str, bridge: str, keys: Path) -> None:
        """Start it."""
        self.name, self.address = name, address
        self.sandbox = Sandbox()
        self._space = f"{bridge}-{address.rsplit('.', 1)[1]}"
        ip("netns", "add", self._space)
        ip(
            "link",
            "add",
            self._space,
            "type",
            "veth",
            "peer",
            "name",
            "eth0",
            "netns",
            self._space,
        )
        ip("link", "set", self._space, "master", bridge, "up")
        for words in (f"addr add {address}/24 dev eth0", "link set eth0 up", "link set lo up"):
            ip("-n", self._space, *words.split())
        files = {"key": keys / "host", "users": keys / "user.pub"}
        self.sandbox.run("mkdir", "-p", "-m", "755", "/run/sshd").check_returncode()
        for place, path in files.items():
            self.write(f"/run/sshd/{place}", path.read_bytes())
        self.sandbox.run("chmod", "600", "/run/sshd/key").check_returncode()
        self.write("/run/sshd/config", SSHD.encode())
        sshd = self.sandbox.command("/usr/sbin/sshd", "-D", "-f", "/run/sshd/config")
        self._sshd = subprocess.Popen(
            ["ip", "netns", "exec", self._space, *sshd],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        self._wait()

    def write(self, path: str, contents: bytes) -> None:
        """Put a file on the host."""
        self.sandbox.run("tee", path, input=contents, text=False).check_returncode()

    def _wait(self) -> None:
        for _ in range(200):
            with socket.socket() as probe:
                probe.settimeout(1)
                if probe.connect_ex((self.address, 22)) == 0:
                    return
            time.sleep(0.1)
        raise RuntimeError(f"the sshd of {self.name} does not answer")

    def close(self) -> None:
        """End it."""
        self.sandbox.close()  # with its PID namespace sshd ends too
        self._sshd.wait()
        ip("netns", "del", self._space)


class Fleet:
    """Some hosts and an inventory of them."""

    def __init__(self, names: List[str]) -> None:
        """Start hosts of these names."""
        self.folder = Path(tempfile.mkdtemp(prefix="kontain-fleet-hosts-"))
        self._bridge = f"kf{os.getpid() % 100000}"
        for name in ("host", "user"):
            make = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", f"{self.folder}/{name}"]
            subprocess.run(make, check=True)
        ip("link", "add", self._bridge, "type", "bridge")
        ip("addr", "add", f"{NETWORK}.254/24", "dev", self._bridge)
        ip("link", "set", self._bridge, "up")
        self.hosts: List[SshHost] = []
        try:
            for number, name in enumerate(names, start=1):
                address = f"{NETWORK}.{number}"
                self.hosts.append(SshHost(name, address, self._bridge, self.folder))
        except BaseException:
            self.close()
            raise
        self.inventory = self.folder / "inventory"
        self.inventory.write_text(self._inventory(), encoding="utf-8")

    def _inventory(self) -> str:
        lines = [f"{host.name} ansible_host={host.address}" for host in self.hosts]
        options = "-o StrictHostKeyChecking=no -o UserKnownHostsFile=/dev/null -o LogLevel=ERROR"
        lines += [
            "[all:vars]",
            "ansible_user=root",
            f"ansible_ssh_private_key_file={self.folder}/user",
            f"ansible_ssh_common_args='{options}'",
            "ansible_python_interpreter=/usr/bin/python3",
        ]
        return "\n".join(lines) + "\n"

    def close(self) -> None:
        """End all of them."""
        for host in self.hosts:
            host.close()
        ip("link", "del", self._bridge)
        shutil.rmtree(self.folder)
