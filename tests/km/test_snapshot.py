# SPDX-License-Identifier: Apache-2.0
"""Snapshots: a program that is written to a file resumes from there, any number of times."""

import random
import shutil
import struct
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from .refusal import CANNOT_RUN, FAILED, assert_refused, run

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

ELSEWHERE = 124

STATUS = 5
"""What the payload ends with."""

PYTHON = """
import asyncio, json, os, sys
try:
    with open("/proc/kontain/snapshot") as file:
        arguments = file.read().split("\\0")[1:-1]
except FileNotFoundError:
    arguments = sys.argv[1:]
async def main():
    await asyncio.sleep(0.01)
    return json.dumps([arguments, sys.stdin.read()])
print(asyncio.run(main()))
"""


def _take(km: Path, snapshot: Path, *command: object) -> None:
    done = run([km, "--snapshot", snapshot, *command], cwd=snapshot.parent)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


@pytest.mark.parametrize("how", ["musl", "glibc", "dynamic"])
@pytest.mark.parametrize(
    "case", ["memory", "threads", "newborn", "signals", "descriptors", "server"]
)
def test_program_goes_on(
    km: Path, build: Callable[..., Path], tmp_path: Path, how: str, case: str
) -> None:
    """A resumed program finds memory, threads, signals and descriptors as they were, each time."""
    payload, snapshot = build("snapshot", how), tmp_path / "snapshot"
    whole = run([payload, case], cwd=tmp_path)
    assert whole.returncode == STATUS
    _take(km, snapshot, payload, case)
    for _ in range(3):
        again = run([km, snapshot], cwd=tmp_path)
        assert (again.returncode, again.stdout, again.stderr) == (
            STATUS,
            whole.stdout,
            whole.stderr,
        )


def test_arguments_are_given(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """The program reads the words after the snapshot's name where it asked."""
    snapshot = tmp_path / "snapshot"
    _take(km, snapshot, build("snapshot"), "server")
    assert run([km, snapshot, "one", "two words"]).stdout.startswith(
        "argument one\nargument two words\n"
    )


ENVIRONMENT = """
import os
def look():
    try:
        with open("/proc/kontain/environ") as file:
            return file.read().split("\\0")
    except FileNotFoundError:
        return None
before = look()
open("/proc/kontain/snapshot").close()
print(before, look(), os.environ["WHO"])
"""


def test_environment_is_given(km: Path, tmp_path: Path) -> None:
    """A resumed program can read the new process's environment, which is not in its memory."""
    snapshot = tmp_path / "snapshot"
    words = [km, "--snapshot", snapshot, "/usr/bin/python3", "-c", ENVIRONMENT]
    assert run(words, cwd=tmp_path, env={"WHO": "one"}).returncode == 0
    again = run([km, snapshot], env={"WHO": "two", "EMPTY": ""})
    assert again.stdout == "None ['WHO=two', 'EMPTY=', ''] one\n"


def test_program_goes_on_at_once(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """With --live the program itself continues, and the snapshot is there as well."""
    payload, snapshot = build("snapshot"), tmp_path / "snapshot"
    for _ in range(2):
        done = run([km, "--snapshot", snapshot, "--live", payload, "memory"], cwd=tmp_path)
        assert (done.returncode, done.stderr) == (STATUS, "")
    assert run([km, snapshot]).stdout == done.stdout


def test_program_is_asked_for_from_outside(km: Path, tmp_path: Path) -> None:
    """--snapshot-now writes a program that waits in a call, which it makes again."""
    snapshot = tmp_path / "snapshot"
    script = "print('ready', flush=True); print('and', input())"
    command: list[str | Path] = [km, "--snapshot", snapshot, sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stdout.readline() == b"ready\n"
        assert run([km, "--snapshot-now", program.pid]).returncode == 0
        assert (program.wait(120), program.stdout.read()) == (0, b"")
    for word in ("one", "two"):
        assert run([km, snapshot], input=f"{word}\n").stdout == f"and {word}\n"


def test_who_cannot_be_asked(km: Path) -> None:
    """A process without km is refused; one without --snapshot continues."""
    assert_refused(run([km, "--snapshot-now", "1"]), FAILED, "process '1'")
    script = "print('ready', flush=True); print('and', input())"
    command: list[str | Path] = [km, sys.executable, "-c", script]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as program:
        assert program.stdout
        assert program.stdout.readline() == b"ready\n"
        assert run([km, "--snapshot-now", program.pid]).returncode == 0
        assert program.communicate(b"on\n")[0] == b"and on\n"


def test_snapshot_of_a_snapshot(km: Path, tmp_path: Path) -> None:
    """A resumed program can be written again."""
    first, second = tmp_path / "first", tmp_path / "second"
    script = tmp_path / "script.py"
    script.write_text(
        "steps = []\nfor step in range(2):\n"
        "    with open('/proc/kontain/snapshot') as file: steps.append(file.read()[-2:-1])\n"
        "print(steps)\n"
    )
    _take(km, first, sys.executable, script)
    _take(km, second, first, "a")
    assert run([km, second, "b"]).stdout == "['a', 'b']\n"


def test_python_is_warm(km: Path, tmp_path: Path) -> None:
    """Python resumes after its imports, with standard input and arguments of its own each time."""
    snapshot, script = tmp_path / "snapshot", tmp_path / "warm.py"
    script.write_text(PYTHON)
    _take(km, snapshot, sys.executable, script)
    script.unlink()
    for word in ("one", "two"):
        done = run([km, snapshot, word], input=f"text {word}")
        assert (done.returncode, done.stderr) == (0, "")
        assert done.stdout == f'[["{word}"], "text {word}"]\n'


SHARED = """
import mmap, os
with open("mapped", MODE) as file:
    memory = mmap.mmap(file.fileno(), 0, prot=mmap.PROT_READ)
    os.close(file.fileno() + 1)  # the mapping's own, which would be asked for, too
open("/proc/kontain/snapshot").close()
print(memory[:5])
"""


HELPED = """
import os
for _ in range(3000):
    os.access("/nothing", os.F_OK)
open("/proc/kontain/snapshot").close()
print("goes on")
"""


def test_program_that_a_helper_helps_asks(km: Path, tmp_path: Path) -> None:
    """A program that makes so many calls that it has a helper asks by a call of its own."""
    snapshot = tmp_path / "helped.kmsnap"
    chrt = ["chrt", "-f", "1"]  # before what leaves a helper no CPU
    before = [] if subprocess.run([*chrt, "true"], check=False).returncode else chrt
    words = [*before, km, "--snapshot", snapshot, "/usr/bin/python3", "-c", HELPED]
    done = run(words, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert run([km, snapshot]).stdout == "goes on\n"


def test_shared_mapping_of_a_file(km: Path, tmp_path: Path) -> None:
    """A file that was opened for reading alone is in the snapshot; another is needed again."""
    mapped, snapshot = tmp_path / "mapped", tmp_path / "snapshot"
    for mode, there in (("rb", True), ("r+b", False)):
        mapped.write_text("hello" * 1000)
        script = SHARED.replace("MODE", repr(mode))
        _take(km, snapshot, shutil.which("python3", path="/usr/bin"), "-c", script)
        assert run([km, snapshot], cwd=tmp_path).stdout == "b'hello'\n"
        mapped.unlink()
        again = run([km, snapshot], cwd=tmp_path)
        assert (again.stdout, again.returncode) == (
            ("b'hello'\n", 0) if there else ("", ELSEWHERE)
        )


def test_snapshot_is_the_owners(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """No other user can read a snapshot, and nothing else is left next to it."""
    snapshot = tmp_path / "snapshot"
    _take(km, snapshot, build("snapshot"), "memory")
    assert snapshot.stat().st_mode & 0o777 == 0o700
    assert list(tmp_path.iterdir()) == [snapshot]


@pytest.mark.parametrize(
    ("what", "words"),
    [
        ("child", "child processes"),
        ("pipe", "a pipe to another process"),
        ("full-pipe", "a pipe with unread data"),
        ("timer", "timer_create(2)"),
        ("aio", "io_setup(2)"),
    ],
)
def test_what_cannot_be_kept_is_refused(
    km: Path, build: Callable[..., Path], tmp_path: Path, what: str, words: str
) -> None:
    """The program and the person hear of it, the program continues, and there is no file."""
    snapshot = tmp_path / "snapshot"
    done = run([km, "--snapshot", snapshot, build("snapshot"), what])
    assert (done.returncode, done.stdout) == (
        STATUS,
        'open("/proc/kontain/snapshot", O_RDONLY) < 0 = 1\n',
    )
    assert words in done.stderr
    assert "\nTo fix: " in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_folder_that_is_not_there(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """A snapshot that cannot be written is said to be so."""
    done = run([km, "--snapshot", tmp_path / "no" / "file", build("snapshot"), "server"])
    assert done.returncode == STATUS
    assert "cannot write the snapshot" in done.stderr


def test_options_that_say_nothing(km: Path, build: Callable[..., Path]) -> None:
    """--live and --gdb with options that they exclude are refused."""
    assert_refused(run([km, "--live", build("hello")]), FAILED, "--live")
    command = [km, "--snapshot", "file", "--gdb", "0", build("hello")]
    assert_refused(run(command), FAILED, "--gdb")


def test_snapshot_is_inspected(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """--inspect says what it is."""
    snapshot = tmp_path / "snapshot"
    _take(km, snapshot, build("snapshot"), "memory")
    assert "snapshot, which resumes" in run([km, "--inspect", snapshot]).stdout


def test_snapshot_is_executed(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """A program in a machine becomes one by execve."""
    snapshot = tmp_path / "snapshot"
    _take(km, snapshot, build("snapshot"), "server")
    done = run([km, "/bin/sh", "-c", f"exec {snapshot} word"])
    assert (done.returncode, done.stdout.split("\n")[0]) == (STATUS, "argument word")


# ---- a file from anywhere ----

HEADER_SIZE = 192
HEADER_HOST = 48
"""Where the description of the host begins in the header: after magic, format and sizes."""


@pytest.fixture(scope="module")
def good(km: Path, build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot that can be resumed."""
    snapshot = tmp_path_factory.mktemp("good") / "snapshot"
    _take(km, snapshot, build("snapshot"), "threads")
    return snapshot


@pytest.fixture(scope="module")
def dynamic(
    km: Path, build: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory
) -> Path:
    """A snapshot of a program that uses the vDSO."""
    snapshot = tmp_path_factory.mktemp("dynamic") / "snapshot"
    _take(km, snapshot, build("snapshot", "dynamic"), "memory")
    return snapshot


def _changed(good: Path, tmp_path: Path, content: bytes) -> Path:
    bad = tmp_path / "bad"
    shutil.copy(good, bad)
    bad.write_bytes(content)
    return bad


@pytest.mark.parametrize("size", [8, 64, 200, 4096, -1])
def test_file_that_is_cut_off(km: Path, good: Path, tmp_path: Path, size: int) -> None:
    """A snapshot that lacks its end is refused."""
    bad = _changed(good, tmp_path, good.read_bytes()[:size])
    assert run([km, bad]).returncode == CANNOT_RUN


def test_any_flipped_bit(km: Path, good: Path, tmp_path: Path) -> None:
    """One wrong bit in the header or in the metadata is seen; in memory it is the payload's."""
    content = good.read_bytes()
    (meta,) = struct.unpack_from("<Q", content, 24)
    chosen = random.Random(2026)  # noqa: S311
    places = [chosen.randrange(8, HEADER_SIZE) for _ in range(40)]
    places += [chosen.randrange(meta, len(content)) for _ in range(40)]
    for place in places:
        wrong = bytearray(content)
        wrong[place] ^= 1 << chosen.randrange(8)
        done = run([km, _changed(good, tmp_path, bytes(wrong))])
        assert done.returncode in (CANNOT_RUN, ELSEWHERE), (place, done)
        assert "km: cannot resume" in done.stderr


def _sum(content: bytes) -> int:
    """The checksum of snapshot_host.c."""
    total = len(content)
    for at in range(0, len(content), 8):
        word = int.from_bytes(content[at : at + 8], "little")
        total = (total ^ word) * 0x9E3779B97F4A7C15 % 2**64
        total ^= total >> 29
    return total


def _sealed(content: bytearray) -> bytes:
    """The same file with checksums that fit."""
    (meta,) = struct.unpack_from("<Q", content, 24)
    struct.pack_into("<Q", content, 40, _sum(bytes(content[meta:])))
    size = HEADER_SIZE - 8
    struct.pack_into("<Q", content, size, _sum(bytes(content[:size])))
    return bytes(content)


def test_hostile_metadata_harms_nobody(km: Path, good: Path, tmp_path: Path) -> None:
    """With right checksums, wrong values are refused, or harm the payload: never the monitor."""
    content = good.read_bytes()
    (meta,) = struct.unpack_from("<Q", content, 24)
    chosen = random.Random(7)  # noqa: S311
    assert run([km, _changed(good, tmp_path, _sealed(bytearray(content)))]).returncode == STATUS
    for _ in range(150):
        wrong = bytearray(content)
        for _ in range(chosen.choice((1, 1, 2, 8))):
            place = chosen.randrange(meta, len(content))
            wrong[place] = chosen.choice((0, 0x7F, 0x80, 0xFF, chosen.randrange(256)))
        try:
            done = run([km, _changed(good, tmp_path, _sealed(wrong))])
        except subprocess.TimeoutExpired:
            continue  # a payload that waits for what does not come
        assert "the monitor failed" not in done.stderr, done.stderr
        assert "KVM_RUN failed" not in done.stderr, done.stderr
        assert done.returncode in range(-64, 128), done


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ((8, 99), "format 99"),
        ((HEADER_HOST, ord("9")), "another version of km"),
        ((HEADER_HOST + 32, 1), "another kernel"),
        ((HEADER_HOST + 54, 0x7F), "backwards"),
        ((HEADER_HOST + 76, 0x0C), "lacks features of the one that it was made on: avx512_4vnniw"),
        ((HEADER_HOST + 128, 1), "this CPU has other registers"),
    ],
)
def test_snapshot_of_elsewhere(
    km: Path, dynamic: Path, tmp_path: Path, change: tuple[int, int], words: str
) -> None:
    """A snapshot of another km, kernel, boot or CPU has a status of its own."""
    at, value = change
    content = bytearray(dynamic.read_bytes())
    content[at] = value
    bad = _changed(dynamic, tmp_path, _sealed(content))
    assert_refused(run([km, bad]), ELSEWHERE, words)


def test_port_that_is_taken(km: Path, tmp_path: Path) -> None:
    """A listening socket whose address is taken is named."""
    snapshot = tmp_path / "snapshot"
    script = tmp_path / "server.py"
    script.write_text(
        "import socket\ns = socket.create_server(('127.0.0.1', 0))\n"
        "open('/proc/kontain/snapshot').close()\ninput(s.fileno())\n"
    )
    _take(km, snapshot, sys.executable, script)
    with subprocess.Popen([km, snapshot], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as first:
        assert first.stdout
        assert first.stdout.read(1) == b"3"
        assert_refused(run([km, snapshot]), ELSEWHERE, "descriptor 3: its address cannot be bound")
        first.communicate(b"\n")
    assert run([km, snapshot], input="\n").returncode == 0
