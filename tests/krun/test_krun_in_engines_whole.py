# SPDX-License-Identifier: Apache-2.0
"""Uses of an engine besides running a program: terminals, pods."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import struct
import termios
import time
from pathlib import Path

import pytest

from .engines import DEBIAN, Engine, Podman
from .images import SERVER
from .support import FOREVER, IN_A_VM, PATIENCE

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

POD = """\
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec:
  containers:
  - {name: one, image: IMAGE, imagePullPolicy: Never, command: [/usr/bin/perl, -e, 'SERVER']}
  - {name: two, image: IMAGE, imagePullPolicy: Never, command: [/bin/bash, -c, ASK]}
""".replace("IMAGE", f"localhost/{DEBIAN}")
ASK = '"until exec 3<>/dev/tcp/127.0.0.1/80; do /bin/sleep 0.2; done; /bin/cat <&3; /bin/uname -r; /bin/sleep 100"'


class Terminal:
    """A program on a terminal of its own, at which the test types."""

    def __init__(self, command: list[str]) -> None:
        """Start COMMAND."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)  # noqa: S606 - that is the program

    def expect(self, words: bytes, timeout_s: float = 20) -> None:
        """Read until WORDS appear."""
        shown, end = b"", time.monotonic() + timeout_s * PATIENCE
        while words not in shown:
            assert time.monotonic() < end, shown
            if select.select([self.fd], [], [], 0.2)[0]:
                try:
                    shown += os.read(self.fd, 4096)
                except OSError:  # EIO: nobody has the terminal any more
                    pytest.fail(f"it ended before {words!r}: {shown!r}")

    def resize(self, rows: int, columns: int) -> None:
        """Give the terminal another size, as a window manager does."""
        fcntl.ioctl(self.fd, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def type(self, words: bytes) -> None:
        """Type WORDS."""
        os.write(self.fd, words)

    def end(self) -> int:
        """Wait until the program ends, and return its status."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


def test_shell_on_a_terminal(engine: Engine) -> None:
    """`exec -it` gives a shell in a VM, with window size, job control, Ctrl-C, Ctrl-Z and Ctrl-D."""
    container = engine.container("run", "-d", DEBIAN, "sleep", FOREVER).stdout.strip()
    words = [*engine.words("kontain"), "exec", "-it", container, "bash", "--norc"]
    shell = Terminal(engine.host.command(*words))

    shell.type(b"uname -r\n")
    shell.expect(IN_A_VM.encode())
    shell.type(b"(trap 'stty size; exit' WINCH; echo w''aits; while :; do sleep 0.1; done)\n")
    shell.expect(b"waits")
    shell.resize(33, 111)
    shell.expect(b"33 111")
    shell.type(
        b"bash -c 'trap \"echo go''es on\" CONT; echo ru''ns; while :; do sleep 0.1; done'\n"
    )
    shell.expect(b"runs")  # in the foreground
    shell.type(b"\x1a")
    shell.expect(b"Stopped")
    shell.type(b"fg\n")
    shell.expect(b"goes on")
    shell.type(b"\x03")
    shell.type(b"echo status $?\n")
    shell.expect(b"status 130")
    shell.type(b"cat | tr a-z A-Z\nhello\n")
    shell.expect(b"HELLO")
    shell.type(b"\x04exit 6\n")
    assert shell.end() == 6
    engine("rm", "--force", container)


def test_pod(engine: Engine, tmp_path: Path) -> None:
    """`podman kube play` makes a pod whose containers, and its pause, run in VMs and share a network."""
    if not isinstance(engine, Podman):
        pytest.skip("pods are podman's")
    (tmp_path / "pod.yaml").write_text(POD.replace("SERVER", SERVER).replace("ASK", ASK))

    done = engine("kube", "play", str(tmp_path / "pod.yaml"))
    assert done.returncode == 0, done.stderr
    end = time.monotonic() + 20 * PATIENCE
    lines: list[str] = []
    while len(lines) < 2:
        assert time.monotonic() < end, engine("logs", "pod-two").stderr
        lines = engine("logs", "pod-two").stdout.splitlines()
    assert all(line.endswith(IN_A_VM) for line in lines)
    (infra,) = engine("ps", "-q", "--filter", "name=infra").stdout.split()
    pid = engine("inspect", "--format={{.State.Pid}}", infra).stdout.strip()
    assert str(Path(f"/proc/{pid}/exe").readlink()) == "/dev/.kontain/km"
    assert engine("pod", "rm", "--force", "--time=0", "pod").returncode == 0
