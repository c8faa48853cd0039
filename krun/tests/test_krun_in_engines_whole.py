# SPDX-License-Identifier: Apache-2.0
"""What people do with an engine besides one container: terminals, ports, pods, containerd."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from krun_engines import DEBIAN, Engine, Podman, PrivateHost
from krun_support import IN_A_VM, KRUN, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

# Perl without its modules: AF_INET and SOCK_STREAM are 2 and 1.
SERVER = (
    "socket S, 2, 1, 0; bind S, pack q(S n a4 x8), 2, 80, qq(\\0) x 4; listen S, 5;"
    "while (accept C, S) { print C `uname -r`; close C }"
)
POD = """\
apiVersion: v1
kind: Pod
metadata: {name: pod}
spec:
  containers:
  - {name: one, image: IMAGE, imagePullPolicy: Never, command: [/bin/sh, -c, SCRIPT]}
  - {name: two, image: IMAGE, imagePullPolicy: Never, command: [/bin/sh, -c, SCRIPT]}
""".replace("IMAGE", f"localhost/{DEBIAN}").replace("SCRIPT", '"/bin/uname -r; /bin/sleep 100"')


class Terminal:
    """A program on a terminal of its own, at which the test types."""

    def __init__(self, command: list[str]) -> None:
        """Start COMMAND."""
        self.pid, self.fd = pty.fork()
        if self.pid == 0:
            os.execvp(command[0], command)  # noqa: S606 - that is the program

    def expect(self, words: bytes, timeout_s: float = 20) -> None:
        """Read until WORDS appear."""
        shown, end = b"", time.monotonic() + timeout_s
        while words not in shown:
            assert time.monotonic() < end, shown
            if select.select([self.fd], [], [], 0.2)[0]:
                shown += os.read(self.fd, 4096)

    def type(self, words: bytes) -> None:
        """Type WORDS."""
        os.write(self.fd, words)

    def end(self) -> int:
        """Wait until the program ends, and return its status."""
        status = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        os.close(self.fd)
        return status


def test_shell_on_a_terminal(engine: Engine) -> None:
    """`exec -it` gives a shell in a VM, with job control, Ctrl-C, Ctrl-Z and Ctrl-D."""
    container = engine.container("run", "-d", DEBIAN, "sleep", "300").stdout.strip()
    words = [*engine.words("kontain"), "exec", "-it", container, "bash", "--norc"]
    shell = Terminal(engine.host.command(*words))

    shell.type(b"uname -r\n")
    shell.expect(IN_A_VM.encode())
    shell.type(b"stty rows 33 columns 111; stty size\n")
    shell.expect(b"33 111")
    shell.type(b"sleep 100\n")
    time.sleep(1)
    shell.type(b"\x1a")
    shell.expect(b"Stopped")
    shell.type(b"fg\n")
    time.sleep(1)
    shell.type(b"\x03")
    shell.type(b"echo status $?\n")
    shell.expect(b"status 130")
    shell.type(b"cat | tr a-z A-Z\nhello\n")
    shell.expect(b"HELLO")
    shell.type(b"\x04exit 6\n")
    assert shell.end() == 6
    engine("rm", "--force", container)


def test_published_port(engine: Engine) -> None:
    """A service in a VM is reached by the port that the engine publishes."""
    if not isinstance(engine, Podman):
        pytest.skip("the tests' docker has no bridge: publish a port with podman")
    words = ["run", "-d", "-p", "8081:80", DEBIAN, "perl", "-e", SERVER]
    container = engine(*words).stdout.strip().splitlines()[-1]
    ask = engine.host.command("bash", "-c", "exec 3<>/dev/tcp/127.0.0.1/8081; cat <&3")
    end = time.monotonic() + 20
    answer = ""
    while not answer:
        assert time.monotonic() < end, engine("logs", container).stderr
        answer = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    engine("rm", "--force", container)
    assert answer.endswith(f"{IN_A_VM}\n")


def test_pod(engine: Engine, tmp_path: Path) -> None:
    """`podman kube play` makes a pod whose containers, and its pause, run in VMs."""
    if not isinstance(engine, Podman):
        pytest.skip("pods are podman's")
    (tmp_path / "pod.yaml").write_text(POD)

    done = engine("kube", "play", str(tmp_path / "pod.yaml"))
    assert done.returncode == 0, done.stderr
    for name in ("pod-one", "pod-two"):
        end = time.monotonic() + 20
        while not engine("logs", name).stdout.endswith(f"{IN_A_VM}\n"):
            assert time.monotonic() < end
    (infra,) = engine("ps", "-q", "--filter", "name=infra").stdout.split()
    pid = engine("inspect", "--format={{.State.Pid}}", infra).stdout.strip()
    assert str(Path(f"/proc/{pid}/exe").readlink()) == "/dev/.kontain/km"
    assert engine("pod", "rm", "--force", "--time=0", "pod").returncode == 0


@pytest.fixture
def ctr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[str]]:
    """Return the command of containerd's ctr with a daemon and an image of its own."""
    need_programs("containerd", "ctr", "runc", "podman")
    tmp_path = tmp_path_factory.mktemp("ctr")
    host = PrivateHost("runc")
    podman = Podman(tmp_path, host)
    socket = f"{tmp_path}/ctr.sock"
    configuration = tmp_path / "containerd.toml"
    configuration.write_text(
        f'version = 2\nroot = "{tmp_path}/containerd"\nstate = "/run/ctr"\n'
        'disabled_plugins = ["io.containerd.grpc.v1.cri"]\n'
        f'[grpc]\naddress = "{socket}"\n'
    )
    command = host.command("containerd", "-c", str(configuration))
    with (tmp_path / "log").open("w") as log:
        daemon = subprocess.Popen(command, stdout=log, stderr=log)
    call = host.command("ctr", "--address", socket)
    end = time.monotonic() + 30
    while subprocess.run([*call, "version"], capture_output=True, check=False).returncode:
        assert time.monotonic() < end, (tmp_path / "log").read_text()
        time.sleep(0.2)
    saved = str(tmp_path / "saved.tar")
    assert podman("save", "-o", saved, DEBIAN).returncode == 0
    subprocess.run([*call, "image", "import", saved], check=True, capture_output=True)
    yield call
    podman.close()
    daemon.terminate()
    daemon.wait(30)
    host.close()


def test_containerd(ctr: list[str]) -> None:
    """The shim of containerd shim runs, joins, pauses and removes containers of krun."""

    def call(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [*ctr, *words], capture_output=True, text=True, timeout=60, check=False
        )

    image, runtime = f"localhost/{DEBIAN}", f"--runc-binary={KRUN}"
    done = call("run", "--rm", runtime, image, "a", "sh", "-c", "uname -r; exit 5")
    assert (done.stdout.endswith(f"{IN_A_VM}\n"), done.returncode) == (True, 5), done.stderr
    assert call("run", "-d", runtime, image, "b", "sleep", "300").returncode == 0
    done = call("task", "exec", "--exec-id=e", "b", "uname", "-r")
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr
    assert call("task", "pause", "b").returncode == 0
    assert "PAUSED" in call("task", "ls").stdout
    assert call("task", "resume", "b").returncode == 0
    assert "memory" in call("task", "metrics", "b").stdout
    assert call("task", "kill", "--signal=9", "b").returncode == 0
    time.sleep(1)
    call("task", "rm", "b")
    assert call("container", "rm", "b").returncode == 0
