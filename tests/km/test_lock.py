# SPDX-License-Identifier: Apache-2.0
"""A monitor that a payload has taken over is locked in: the host's kernel ends it, or refuses."""

import errno
import os
import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from . import subvert

ROOT = Path(__file__).resolve().parents[2]

CLOCK_NANOSLEEP = 230
GETPID, MMAP, MPROTECT, MUNMAP, MREMAP, SHMAT, IOCTL, EXECVE = 39, 9, 10, 11, 25, 30, 16, 59
PERSONALITY = 135
PREAD64, PWRITE64, PREADV, PWRITEV, PREADV2, PWRITEV2 = 17, 18, 295, 296, 327, 328
SENDFILE, SPLICE, COPY_FILE_RANGE, EXECVEAT = 40, 275, 326, 322
CLOSE, DUP2, DUP3, CLOSE_RANGE, FCNTL, F_SETFD = 3, 33, 292, 436, 72, 2
AT_EMPTY_PATH = 0x1000
READ_EXECUTE, READ_WRITE, PRIVATE, FIXED, ANONYMOUS = 5, 3, 2, 0x10, 0x20
GUEST_TOP = 0x6FFF00000000
"""The payload's addresses end there."""

EMPTY = 0x700000000000
"""The path that km executes its own descriptor by."""

NOT_IN_TABLE = {
    "ptrace": 101, "process_vm_readv": 310, "process_vm_writev": 311, "init_module": 175,
    "kexec_load": 246, "bpf": 321, "userfaultfd": 323, "io_uring_setup": 425, "seccomp": 317,
    "execve": EXECVE, "vfork": 58, "clone3": 435, "open_by_handle_at": 304, "x32 getpid": 1 << 30 | 39,
    "no call": 5000, "pkey_mprotect": 329, "process_madvise": 440, "pidfd_getfd": 438,
}  # fmt: skip

BY_ARGUMENTS = {
    "mmap to execute": (MMAP, 0, 4096, READ_EXECUTE, PRIVATE | ANONYMOUS, -1, 0),
    "mprotect to execute": (MPROTECT, 0x700100000000, 4096, READ_EXECUTE),
    "shmat to execute": (SHMAT, 0, 0, 0o100000),
    "all memory to execute": (PERSONALITY, 0x0400000),
    "execveat by path": (EXECVEAT, 0, 0, 0, 0, 0),
    "execveat of another file": (EXECVEAT, 0, EMPTY, 0, 0, AT_EMPTY_PATH),
    "ioctl of VFIO": (IOCTL, 0, 0x3B64),
    "TIOCSTI": (IOCTL, 0, 0x5412),
    "TIOCSTI, wide": (IOCTL, 0, 1 << 32 | 0x5412),
    "TIOCLINUX": (IOCTL, 0, 0x541C),
    "TIOCSETD": (IOCTL, 0, 0x5423),
    "KVM_CREATE_DEVICE": (IOCTL, 0, 0xC00CAEE0),
    "KVM_CREATE_IRQCHIP": (IOCTL, 0, 0xAE60),
    "KVM_SET_GUEST_DEBUG": (IOCTL, 0, 0x4048AE9B),
    "sendfile by the payload's offset": (SENDFILE, 0, 0, 0x400000, 1),
    "splice by the payload's offset": (SPLICE, 0, 0x400000, 0, 0, 1, 0),
    "splice to the payload's offset": (SPLICE, 0, 0, 0, GUEST_TOP - 8, 1, 0),
    "copy_file_range likewise": (COPY_FILE_RANGE, 0, 0, 0, 0x400000, 1, 0),
}

ON_ITS_PROGRAM = {
    "close": (CLOSE, None),
    "dup2": (DUP2, 0, None),
    "dup3": (DUP3, 0, None, 0),
    "close_range": (CLOSE_RANGE, 3, 0xFFFFFFFF, 0),
    "close_range of it alone": (CLOSE_RANGE, None, None, 0),
    "close_range later": (CLOSE_RANGE, 3, 0xFFFFFFFF, 4),
    "FD_CLOEXEC": (FCNTL, None, F_SETFD, 1),
    "another path": (EXECVEAT, None, GUEST_TOP - 4096, 0, 0, AT_EMPTY_PATH),
    "another flag": (EXECVEAT, None, EMPTY, 0, 0, AT_EMPTY_PATH | 0x100),
}
"""Calls that would let another file be executed; None is the descriptor of km's own program."""

AT_THE_MONITOR = {
    f"{name} {offset:#x}": (number, 999, 0, 0, offset, 0)
    for name, number in {
        "pread64": PREAD64, "pwrite64": PWRITE64, "preadv": PREADV, "pwritev": PWRITEV,
        "preadv2": PREADV2, "pwritev2": PWRITEV2,
    }.items()
    for offset in (GUEST_TOP, 0x7E0000000000, (1 << 47) - 1)
}  # fmt: skip

OVER_THE_MONITOR = {
    "munmap": (MUNMAP, 4096),
    "mprotect": (MPROTECT, 4096, 0),
    "mprotect to write": (MPROTECT, 4096, READ_WRITE),
    "mmap": (MMAP, 4096, READ_WRITE, PRIVATE | ANONYMOUS | FIXED, -1, 0),
    "mremap": (MREMAP, 4096, 8192, 1, 0),
}
"""A call and what follows the address."""


@pytest.fixture
def monitor(km: Path, kvm: None) -> Iterator[int]:
    """The process of a monitor whose payload sleeps."""
    del kvm
    sleep = shutil.which("sleep") or "sleep"
    with subprocess.Popen([km, sleep, "100"]) as process:
        subvert.wait_for_call(process.pid, CLOCK_NANOSLEEP)
        yield process.pid
        process.kill()


pytestmark = pytest.mark.needs_kvm


def test_call_of_the_table_is_made(monitor: int) -> None:
    """The monitor can make the table's calls: else the others would prove nothing."""
    assert subvert.call(monitor, GETPID) == monitor


@pytest.mark.parametrize("number", NOT_IN_TABLE.values(), ids=NOT_IN_TABLE)
def test_other_calls_end_it(monitor: int, number: int) -> None:
    """A call that the table cannot make is the monitor's last."""
    with pytest.raises(ProcessLookupError) as death:
        subvert.call(monitor, number, 0, 0, 0, 0, 0, 0)
    assert death.value.errno == signal.SIGSYS


@pytest.mark.parametrize("words", BY_ARGUMENTS.values(), ids=BY_ARGUMENTS)
def test_other_arguments_end_it(monitor: int, words: tuple[int, ...]) -> None:
    """So is one that asks for more than the monitor ever does."""
    with pytest.raises(ProcessLookupError) as death:
        subvert.call(monitor, *words)
    assert death.value.errno == signal.SIGSYS


def _program_of(pid: int, km: Path) -> int:
    """The descriptor that a monitor has of its own file."""
    descriptors = Path(f"/proc/{pid}/fd").iterdir()
    return next(int(fd.name) for fd in descriptors if os.path.realpath(fd) == str(km))


@pytest.mark.parametrize("words", ON_ITS_PROGRAM.values(), ids=ON_ITS_PROGRAM)
def test_only_its_program_is_executed(
    monitor: int, km: Path, words: "tuple[int | None, ...]"
) -> None:
    """Nothing is moved to the descriptor that is executed, and by nothing but the empty path."""
    program = _program_of(monitor, km)
    with pytest.raises(ProcessLookupError) as death:
        subvert.call(monitor, *(program if word is None else word for word in words))
    assert death.value.errno == signal.SIGSYS


def test_its_program_stays_the_same(km: Path, kvm: None) -> None:
    """The next program's monitor is executed by the same descriptor, also where no /proc is."""
    del kvm
    script = 'cd "$0" && exec chroot . ./sh -c "exec ./sh -c \'exec ./sleep 100\'"'
    with tempfile.TemporaryDirectory() as folder:
        for name in ("sh", "sleep"):
            shutil.copy("/bin/busybox", f"{folder}/{name}")
        with subprocess.Popen([km, "/bin/sh", "-c", script, folder]) as process:
            subvert.wait_for_call(process.pid, CLOCK_NANOSLEEP)
            program = _program_of(process.pid, km)
            process.kill()
    assert program >= 0


@pytest.mark.parametrize("words", AT_THE_MONITOR.values(), ids=AT_THE_MONITOR)
def test_no_offset_is_the_monitors(monitor: int, words: tuple[int, ...]) -> None:
    """No file is read or written where, in a process's memory, the monitor is."""
    assert subvert.call(monitor, *words) == -errno.EINVAL


@pytest.mark.parametrize("offset", [GUEST_TOP - 1, 1 << 47, (1 << 63) - 1, -1])
def test_other_offsets_pass(monitor: int, offset: int) -> None:
    """Below and above, and at the position that preadv2 calls -1, the kernel answers."""
    assert subvert.call(monitor, PREADV2, 999, 0, 0, offset, 0) == -errno.EBADF


@pytest.fixture(scope="session")
def half_open(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A monitor of the same sources that judges no opening: its payloads have /proc/self/mem."""
    folder = tmp_path_factory.mktemp("half_open")
    subprocess.run(
        ["make", "-s", "-C", ROOT / "km", "FIRST_LOCK=off", f"BUILD={folder}"],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return folder / "km"


def _reach(km: Path, payload: Path) -> list[str]:
    """The words of a payload that learned where its monitor's memory is."""
    with subprocess.Popen(
        [km, payload, "ready\n"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        places = [start for start, _ in _memory_of(process.pid).values()]
        process.stdin.write(" ".join(f"{place:x}" for place in places))
        process.stdin.close()
        lines = process.stdout.read().splitlines()
    assert len(places) >= 10
    assert process.returncode == 0
    return lines


def test_memory_cannot_be_opened(km: Path, kvm: None, build: Callable[..., Path]) -> None:
    """The first lock: the payload gets no descriptor of its memory."""
    del kvm
    assert _reach(km, build("memory_offsets")) == []


def test_second_lock_alone_holds(half_open: Path, kvm: None, build: Callable[..., Path]) -> None:
    """A payload that has its memory as a file does not find the monitor's by it."""
    del kvm
    assert set(_reach(half_open, build("memory_offsets"))) == {"open"}


def test_filters_cannot_be_changed_on_the_way(
    km: Path, kvm: None, build: Callable[..., Path]
) -> None:
    """Not even who has the file by which a program's filters go to the next can write to it."""
    del kvm
    with subprocess.Popen(
        [km, build("filtered_exec")], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stdout.readline() == "ready\n"
        subvert.stop(process.pid)  # it must not get there before
        process.stdin.close()
        subvert.run_to_call(process.pid, EXECVEAT)
        carried = [
            fd
            for fd in Path(f"/proc/{process.pid}/fd").iterdir()
            if str(fd.readlink()).startswith("/memfd:")
        ]
        refused = []
        for fd in carried:
            with fd.open("r+b", buffering=0) as file:
                try:
                    file.write(b"\2\0\0\0\0\0\0\0")
                except PermissionError:
                    refused.append(fd)
        subvert.let_go(process.pid)
        said = process.stdout.read()
    assert len(carried) == 1
    assert refused == carried
    assert said == "syscall(SYS_getuid): Operation not permitted\n"


def test_all_of_kvms_commands_are_known() -> None:
    """The filter lets pass the commands of KVM's that the monitor's sources give, and no other."""
    sources = ROOT / "km" / "src"
    filters = (sources / "sandbox_filter.c").read_text(encoding="utf-8")
    listed = filters.split("kvm_commands[] = {")[1].split("}")[0]
    given = [
        name
        for path in sources.rglob("*.c")
        for name in re.findall(
            r"(?:kvm_ioctl|fd_make|kvm_make)\([^;]*?, (KVM_\w+)", path.read_text(encoding="utf-8")
        )
    ]
    assert set(re.findall(r"KVM_\w+", listed)) == set(given)


def _memory_of(pid: int) -> dict[str, tuple[int, str]]:
    """Where a monitor has its memory, and with what rights, by names that last from run to run."""
    lines = Path(f"/proc/{pid}/maps").read_text(encoding="utf-8").splitlines()
    found: dict[str, tuple[int, str]] = {}
    for line in lines:
        head, _, name = line.partition("/")
        start, rights = int(head.split("-")[0], 16), head.split()[1]
        if start >= GUEST_TOP and "[v" not in line:
            kind = Path(name).name or ("kvm_run" if "kvm-vcpu" in line else "memory")
            kind = "stack" if "[stack]" in line else kind
            found[f"{kind} {sum(key.startswith(kind) for key in found)}"] = start, rights
    return found


def _is_sealed() -> None:
    if tuple(int(part) for part in os.uname().release.split(".")[:2]) < (6, 10):
        pytest.skip("this kernel has no mseal: it came with Linux 6.10")


@pytest.mark.parametrize("how", OVER_THE_MONITOR)
@pytest.mark.parametrize(
    "where", [*(f"km {n}" for n in range(5)), *(f"memory {n}" for n in range(6)), "kvm_run 0"]
)
def test_memory_is_sealed(monitor: int, where: str, how: str) -> None:
    """The monitor's program and memory cannot be mapped again, moved or given other rights."""
    _is_sealed()
    number, *rest = OVER_THE_MONITOR[how]
    assert subvert.call(monitor, number, _memory_of(monitor)[where][0], *rest) == -errno.EPERM


def test_places_differ(km: Path, kvm: None) -> None:
    """All of the monitor's memory is elsewhere in the next run, its program too."""
    del kvm
    sleep = shutil.which("sleep") or "sleep"
    seen = []
    for _ in range(2):
        with subprocess.Popen([km, sleep, "100"]) as process:
            subvert.wait_for_call(process.pid, CLOCK_NANOSLEEP)
            seen.append(_memory_of(process.pid))
            process.kill()
    one, other = seen
    assert one.keys() == other.keys()
    assert [name for name in one if one[name][0] == other[name][0]] == ["memory 0"]
    assert one["memory 0"] == (EMPTY, "r--p")


def test_program_is_hardened(km: Path) -> None:
    """Position-independent, constants that hold addresses read-only, no page to write and execute."""

    def shown(*how: str) -> str:
        return subprocess.run(
            ["readelf", "-W", *how, km], check=True, capture_output=True, text=True
        ).stdout

    segments = [line.split() for line in shown("-l").splitlines()]
    rights = {words[0]: "".join(words[6:-1]) for words in segments if len(words) > 7}
    assert "DYN (Position-Independent Executable file)" in shown("-h")
    assert not [words for words in segments if "RWE" in words]
    assert rights["GNU_STACK"] == "RW"
    assert rights["GNU_RELRO"] == "R"
    assert "Flags: NOW PIE" in shown("-d")
    assert "INTERP" not in rights
    assert "__stack_chk_fail" in shown("-s")


def _locks(pid: "int | str") -> dict[str, str]:
    """The host's view of a process: the lines of its status by their names."""
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return dict(line.split(":\t") for line in lines if line.startswith(("NoNewPrivs", "Seccomp")))


def test_programs_of_programs_have_one_filter(km: Path, kvm: None) -> None:
    """The same filter locks the payload's children in, not one more each time."""
    del kvm
    script = "exec sh -c 'exec sh -c \"exec sleep 100\"'"
    with subprocess.Popen([km, "/bin/sh", "-c", script]) as process:
        subvert.wait_for_call(process.pid, CLOCK_NANOSLEEP)
        inside = _locks(process.pid)
        process.kill()
    assert inside["NoNewPrivs"] == "1"
    assert inside["Seccomp"] == "2"
    assert int(inside["Seccomp_filters"]) == int(_locks("self")["Seccomp_filters"]) + 1


@pytest.mark.parametrize("how", ["ulimit -s unlimited;", "exec setarch -L"])
def test_monitor_is_above_the_payload(how: str, km: Path, kvm: None) -> None:
    """Also where the kernel fills a program's memory from below, the monitor's is out of reach."""
    del kvm
    script = f'{how} {"exec" if how.endswith(";") else ""} "$0" sleep 100'
    with subprocess.Popen(["/bin/sh", "-c", script, km]) as process:
        subvert.wait_for_call(process.pid, CLOCK_NANOSLEEP)
        maps = Path(f"/proc/{process.pid}/maps").read_text(encoding="utf-8").splitlines()
        process.kill()
    vdso = next(line for line in maps if line.endswith("[vdso]"))
    assert int(vdso.split("-")[0], 16) > GUEST_TOP


def test_payload_sees_its_unlimited_stack(km: Path, kvm: None) -> None:
    """An unlimited stack is unlimited for the payload and for what it starts."""
    del kvm
    script = 'ulimit -s unlimited && exec "$0" /bin/sh -c \'ulimit -s; sh -c "ulimit -s"\''
    done = subprocess.run(
        ["/bin/sh", "-c", script, km], capture_output=True, text=True, check=False
    )
    assert (done.stdout, done.stderr) == ("unlimited\nunlimited\n", "")
