# SPDX-License-Identifier: Apache-2.0
"""The keeper: VMs begin and end faster where it is, and as ever where it is not."""

import contextlib
import os
import re
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]


@pytest.fixture
def hello(build: Callable[..., Path]) -> Path:
    """Return a payload that ends with status 0."""
    return build("hello", "musl")


@pytest.fixture
def keeper(km: Path, tmp_path: Path) -> Iterator[tuple[Path, int]]:
    """Return the socket and the process of a keeper that runs."""
    path = tmp_path / "keeper.sock"
    with subprocess.Popen([km, "--keeper", path]) as process:
        wait_for(path)
        yield path, process.pid
        assert process.poll() is None, "the keeper ended"
        process.terminate()


def wait_for(path: Path) -> None:
    """Wait until a datagram socket listens at a path."""
    for _ in range(500):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
            if client.connect_ex(str(path)) == 0:
                return
        time.sleep(0.02)
    pytest.fail(f"no keeper listens at {path}")


def run_with(keeper_fd: int, *command: "str | Path") -> "subprocess.CompletedProcess[bytes]":
    """Run km with an open socket that is to lead to a keeper."""
    program, *rest = command
    return subprocess.run(
        [program, "--keeper-fd", str(keeper_fd), *rest],
        check=False,
        capture_output=True,
        pass_fds=[keeper_fd],
        timeout=60,
    )


@pytest.mark.parametrize("how", ["", "thread", "quick"])
def test_the_vm_outlives_the_payload_and_nothing_else_does(
    km: Path, build: Callable[..., Path], how: str
) -> None:
    """When a payload ends, its parent sees status and end of file, while the keeper has the VM."""
    ours, kms = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    native = subprocess.run([build("exit_ways", "musl"), how], check=False, capture_output=True)
    with ours, kms:
        ended = run_with(kms.fileno(), km, build("exit_ways", "musl"), how)
        ours.setblocking(False)
        _, fds, _, _ = socket.recv_fds(ours, 1, 16)
    assert (ended.returncode, ended.stdout) == (native.returncode, native.stdout)
    assert [kind(Path(f"/proc/self/fd/{fd}")) for fd in fds] == ["anon_inode:kvm-vm"]
    for fd in fds:
        os.close(fd)


def test_a_program_that_becomes_another_sends_both_vms(km: Path) -> None:
    """The new program finds the keeper too."""
    ours, kms = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kms:
        ended = run_with(kms.fileno(), km, "/bin/sh", "-c", "exec /bin/true")
        ours.setblocking(False)
        for _ in range(2):
            _, fds, _, _ = socket.recv_fds(ours, 1, 16)
            assert len(fds) == 1
            os.close(fds[0])
        with pytest.raises(BlockingIOError):
            ours.recv(1)
    assert ended.returncode == 0


def test_the_payload_does_not_see_the_socket(km: Path) -> None:
    """Its number is not among the payload's descriptors."""
    ours, kms = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with ours, kms:
        ended = run_with(kms.fileno(), km, "/bin/ls", "-l", "/proc/self/fd")
    assert ended.returncode == 0
    assert b"socket" not in ended.stdout


def test_a_keeper_that_died_or_does_not_listen_changes_nothing(km: Path, hello: Path) -> None:
    """A payload runs to its end where the other side is gone, or never receives."""
    ours, kms = socket.socketpair(socket.AF_UNIX, socket.SOCK_DGRAM)
    with kms:
        with ours:
            ours.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
            full = [run_with(kms.fileno(), km, hello) for _ in range(15)]
        gone = run_with(kms.fileno(), km, hello)
    assert {(run.returncode, run.stdout, run.stderr) for run in (*full, gone)} == {
        (gone.returncode, gone.stdout, gone.stderr)
    }
    assert gone.returncode == 0


def test_the_keeper_closes_what_it_is_sent(keeper: tuple[Path, int]) -> None:
    """Descriptors in a message are closed, many as well; a message without is nothing."""
    reader, writer = os.pipe()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(keeper[0]))
        client.send(b"")
        client.send(b"no descriptor" * 1000)
        socket.send_fds(client, [b"x"], [writer] * 253)
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""


def _lingering() -> tuple[socket.socket, socket.socket]:
    """Two ends of a connection: closing the first waits for ten minutes, since nobody reads."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        one = socket.create_connection(server.getsockname())
        other, _ = server.accept()
    one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 600))
    one.setblocking(False)
    with contextlib.suppress(BlockingIOError):
        while True:
            one.send(bytes(1 << 20))
    return one, other


def test_nobody_stalls_the_keeper(keeper: tuple[Path, int]) -> None:
    """Descriptors whose closing waits keep it from the next message for a moment only."""
    reader, writer = os.pipe()
    others = []
    os.kill(keeper[1], signal.SIGSTOP)  # so that its are the last descriptors
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(keeper[0]))
        for _ in range(5):
            one, other = _lingering()
            others.append(other)
            socket.send_fds(client, [b"x"], [one.fileno()] * 3)
            one.close()
        os.kill(keeper[1], signal.SIGCONT)
        begin = time.monotonic()
        socket.send_fds(client, [b"x"], [writer])
    os.close(writer)
    with os.fdopen(reader, "rb") as pipe:
        assert pipe.read() == b""
    assert time.monotonic() - begin < 200
    for other in others:
        other.close()


def test_the_keeper_can_do_little(keeper: tuple[Path, int]) -> None:
    """It has a filter of system calls, and no more privileges to come."""
    status = Path(f"/proc/{keeper[1]}/status").read_text(encoding="ascii")
    assert "NoNewPrivs:\t1\n" in status
    assert "Seccomp:\t2\n" in status


def test_the_keeper_takes_the_vms_of_payloads(
    km: Path, hello: Path, keeper: tuple[Path, int]
) -> None:
    """After many payloads it holds the one VM that it keeps."""
    path, pid = keeper
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as client:
        client.connect(str(path))
        for _ in range(20):
            assert run_with(client.fileno(), km, hello).returncode == 0
    for _ in range(100):
        vms = links(pid).count("anon_inode:kvm-vm")
        if vms == 1:
            break
        time.sleep(0.05)
    assert vms == 1


def links(pid: int) -> list[str]:
    """Return what the descriptors of a process are."""
    return [kind(link) for link in Path(f"/proc/{pid}/fd").iterdir()]


def kind(link: Path) -> str:
    """Return what a descriptor is, or nothing when it was closed meanwhile."""
    try:
        return str(link.readlink())
    except FileNotFoundError:
        return ""


def test_a_second_keeper_is_refused(km: Path, keeper: tuple[Path, int]) -> None:
    """Two keepers at one socket make no sense; the first one stays."""
    ended = subprocess.run(
        [km, "--keeper", keeper[0]], check=False, capture_output=True, text=True
    )
    assert (ended.returncode, ended.stdout) == (125, "")
    assert re.search(
        r"^km: .* listens at .* already\.\nTo fix: stop the other first\.$",
        ended.stderr,
        re.MULTILINE,
    )


@pytest.mark.parametrize("path", ["/proc/none/socket", "/run/" + "x" * 120])
def test_a_socket_that_cannot_be_is_refused(km: Path, path: str) -> None:
    """The error names the path."""
    ended = subprocess.run([km, "--keeper", path], check=False, capture_output=True, text=True)
    assert ended.returncode == 125
    assert path in ended.stderr


def test_the_socket_of_a_killed_keeper_is_used_again(km: Path, tmp_path: Path) -> None:
    """A leftover of kill -9 is no obstacle, unless it is not a socket."""
    path = tmp_path / "keeper.sock"
    for _ in range(2):
        with subprocess.Popen([km, "--keeper", path]) as process:
            wait_for(path)
            process.kill()
    path.unlink()
    path.write_text("mine")
    ended = subprocess.run([km, "--keeper", path], check=False, capture_output=True, text=True)
    assert ended.returncode == 125
    assert path.read_text() == "mine"
