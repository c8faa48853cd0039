# SPDX-License-Identifier: Apache-2.0
"""gdb debugs a payload over --gdb, and opens its core: breakpoints, steps, memory, every thread."""

import os
import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .refusal import run

pytestmark = [
    pytest.mark.needs_kvm,
    pytest.mark.usefixtures("kvm"),
    pytest.mark.skipif(not shutil.which("gdb"), reason="gdb is missing: install gdb"),
]

TIMEOUT_S = 120


def _debug(km: Path, payload: Path, folder: Path, commands: "list[str]") -> "tuple[str, str, int]":
    """Run gdb's commands on a payload; return what gdb and the payload say, and its status."""
    socket = folder / "socket"
    with subprocess.Popen(
        [km, "--gdb", socket, payload],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr
        assert str(socket) in process.stderr.readline()  # it listens
        words = ["gdb", "-q", "-nx", "-batch", "-ex", "set sysroot /", "-ex", "set pagination off"]
        for command in (f"target remote {socket}", *commands):
            words += ["-ex", command]
        gdb = subprocess.run(
            [*words, payload], capture_output=True, text=True, timeout=TIMEOUT_S, check=False
        )
        try:
            said, _ = process.communicate(timeout=TIMEOUT_S)
        finally:
            process.kill()
        return gdb.stdout + gdb.stderr, said, process.returncode


def _stopped(number: int, seen: str) -> bool:
    return bool(re.search(rf"Breakpoint 1, meeting \(number=(number@entry=)?{number}\)", seen))


@pytest.mark.parametrize("how", ["glibc", "dynamic"])
def test_breakpoint_step_and_threads(
    how: str, km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Gdb stops at a breakpoint, steps, sees and changes memory and every thread, and lets go."""
    seen, said, status = _debug(
        km,
        build("watched", how),
        tmp_path,
        [
            "break meeting",
            "continue",
            "print number",
            "info threads",
            "thread apply all -q backtrace",
            "finish",
            "print value",
            "continue",
            "step",
            "stepi",
            "set variable value = 100",
            "info registers rip",
            "delete",
            "continue",
        ],
    )
    assert _stopped(40, seen), seen
    assert "$1 = 40" in seen
    assert seen.count("worker (argument=") == 3, seen
    assert "$2 = 40" in seen
    assert _stopped(2, seen), seen
    assert "rip " in seen
    assert "exited with code 05" in seen, seen
    assert "value = 100" in said
    assert status == 5


def test_watchpoint_stops_at_a_change(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """A watchpoint, which gdb makes of single steps, stops where the value changes."""
    seen, _, status = _debug(
        km,
        build("watched", "dynamic"),
        tmp_path,
        [
            "set can-use-hw-watchpoints 0",
            "break meeting",
            "continue",
            "watch value",
            "continue",
            "delete",
            "continue",
        ],
    )
    assert "Old value = 0" in seen, seen
    assert "New value = 40" in seen
    assert status == 5


def test_gdb_may_leave(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """A payload that gdb detaches from runs on to its end, breakpoints or not."""
    commands = ["break meeting", "continue", "detach"]
    _, said, status = _debug(km, build("watched", "dynamic"), tmp_path, commands)
    assert "value = 42" in said
    assert status == 5


def test_core_has_every_thread(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """Gdb finds in a core the thread that died and those that waited, with their stacks."""
    payload, core = build("watched", "dynamic"), tmp_path / "core"
    assert run([km, f"--coredump={core}", payload, "abort"]).returncode == -6
    seen = run(["gdb", "-q", "-nx", "-batch", "-ex", "thread apply all -q backtrace",
                "-ex", "print value", payload, core]).stdout  # fmt: skip
    assert "main (" in seen, seen
    assert seen.count("worker (argument=") == 3, seen
    assert "$1 = 42" in seen


ASK = """
import socket, sys
where = sys.argv[1]
kind = socket.AF_INET6 if sys.argv[2:] else socket.AF_INET
with socket.socket(kind, socket.SOCK_STREAM) as link:
    link.connect(("::ffff:127.0.0.1" if sys.argv[2:] else "127.0.0.1", int(where)))
    link.sendall(b"$?#3f")
    link.settimeout(20)
    try:
        print(link.recv(100))
    except ConnectionError:
        print(b"")
"""
"""Connect, ask why the payload stopped, and print the answer."""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
@pytest.mark.parametrize("family", [(), ("6",)], ids=["IPv4", "IPv6"])
def test_another_user_cannot_debug(
    km: Path, build: Callable[..., Path], family: "tuple[str, ...]"
) -> None:
    """A port is for root and the payload's user: another user gets nothing, and km waits on."""
    with subprocess.Popen(
        [km, "--gdb", "0", build("hello")],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stderr
            port = process.stderr.readline().rpartition(":")[2].strip()
            ask = ["/usr/bin/python3", "-I", "-S", "-c", ASK, port, *family]
            other = subprocess.run(
                ["setpriv", "--reuid=65534", "--clear-groups", *ask],
                capture_output=True,
                text=True,
                check=False,
            )
            assert other.stdout == "b''\n", other.stderr
            assert "another user's process cannot debug" in process.stderr.readline()
            assert subprocess.run(ask, capture_output=True, check=True).stdout.startswith(b"b'+")
        finally:
            process.kill()
