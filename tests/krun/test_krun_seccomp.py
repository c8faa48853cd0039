# SPDX-License-Identifier: Apache-2.0
"""A container's seccomp profile judges its program as under the backend alone, and lets km live."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from krun import seccomp
from krun.errors import KrunError
from krun.syscalls import NUMBERS

from .support import FOREVER, ID, KM, BundleFolder, Runtime, need_programs, start

HEADER = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")

_TRACED = """
    access arch_prctl brk capget capset chdir clock_nanosleep close dup dup2 dup3 epoll_ctl
    execve exit exit_group fchdir fchown fcntl fork fstat fstatfs futex getcwd getdents64
    getegid geteuid getgid getpid getppid getrandom gettid getuid lseek lstat madvise mmap
    mprotect munmap nanosleep newfstatat open openat poll prctl prlimit64 read readlink rseq
    rt_sigaction rt_sigprocmask rt_sigreturn set_robust_list set_tid_address setgid setgroups setresgid setresuid
    setuid sigaltstack stat statfs uname vfork wait4 write writev clone clone3 sendfile pipe2
    epoll_pwait faccessat2 faccessat tgkill
"""
TRACED = _TRACED.split()
"""What a profile has that was made by tracing runc, a shell and its commands."""

TRY = """
grep Sec /proc/self/status; mkdir /dev/shm/a; echo $?; hostname x; echo $?
(cat /proc/sys/kernel/ostype | cat); mkdir /dev/shm/b; echo "last $?"
"""


def profile(default: str, action: str, names: list[str], **more: Any) -> dict[str, Any]:
    """A profile with one rule."""
    return {
        "defaultAction": default,
        "architectures": ["SCMP_ARCH_X86_64"],
        "syscalls": [{"names": names, "action": action, **more}],
    }


PROFILES = {
    "traced": profile("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW", TRACED),
    "traced, kill": profile("SCMP_ACT_KILL", "SCMP_ACT_ALLOW", TRACED),
    "traced, kill process": profile("SCMP_ACT_KILL_PROCESS", "SCMP_ACT_ALLOW", TRACED),
    "kill one": profile("SCMP_ACT_ALLOW", "SCMP_ACT_KILL", ["mkdir", "mkdirat"]),
    "trap one": profile("SCMP_ACT_ALLOW", "SCMP_ACT_TRAP", ["mkdir", "mkdirat"]),
    "errno": profile("SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", ["mkdir", "ioctl"], errnoRet=28),
}


@pytest.fixture
def trying(bundle: BundleFolder) -> BundleFolder:
    """A bundle whose shell tries what profiles refuse."""
    for applet in ("grep", "mkdir", "hostname"):
        (bundle.rootfs / "bin" / applet).symlink_to("busybox")
    bundle.args("sh", "-c", TRY)
    return bundle


def both(krun: Runtime, bundle: BundleFolder) -> list[tuple[int, list[str]]]:
    """The results of the backend alone, and of krun over it: status and sorted lines."""
    words = ["run", "-b", str(bundle.path), ID]
    found = []
    for command in (
        [*krun.before, krun.backend, "--root", str(krun.root), *words],
        krun.command(*words),
    ):
        done = subprocess.run(
            command, capture_output=True, text=True, check=False, timeout=120,
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        found.append((done.returncode, sorted((done.stdout + done.stderr).splitlines())))
    return found


@pytest.mark.needs_root
@pytest.mark.needs_kvm
@pytest.mark.parametrize("name", PROFILES)
def test_profile_judges_the_program(krun: Runtime, trying: BundleFolder, name: str) -> None:
    """Output, status and /proc/self/status are those that the backend alone gives."""
    trying.doc["linux"]["seccomp"] = PROFILES[name]
    trying.write()
    wanted, found = both(krun, trying)
    assert found == wanted
    assert wanted[0] == 0
    assert any(line.startswith("last") for line in wanted[1])
    assert "Seccomp:\t2" in wanted[1]
    assert ("Bad system call" in wanted[1]) == ("kill" in name or "trap" in name)


@pytest.mark.needs_root
@pytest.mark.needs_kvm
@pytest.mark.parametrize("name", ["kill one", "traced, kill", "traced, kill process"])
def test_killed_program_ends_its_container(krun: Runtime, trying: BundleFolder, name: str) -> None:
    """KVM's own thread does not outlive the program: the status is that of SIGSYS."""
    trying.doc["linux"]["seccomp"] = PROFILES[name]
    trying.args("mkdir", "/dev/a")
    wanted, found = both(krun, trying)
    assert found[0] == wanted[0] == 159


@pytest.mark.needs_root
@pytest.mark.needs_kvm
def test_exec_is_judged_too(krun: Runtime, trying: BundleFolder) -> None:
    """A later `exec` has the container's profile."""
    trying.doc["linux"]["seccomp"] = PROFILES["traced"]
    start(krun, trying, "sleep", FOREVER)
    done = krun("exec", ID, "sh", "-c", TRY)
    assert "Seccomp:\t2" in done.stdout
    assert "last 1" in done.stdout
    assert "Operation not permitted" in done.stderr


CONDITIONS: tuple[list[dict[str, Any]], ...] = (
    [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}],
    [{"index": 0, "value": 1, "op": "SCMP_CMP_NE"}],
    [{"index": 0, "value": 0x100000005, "op": "SCMP_CMP_GE"}],
    [{"index": 0, "value": 0x100000005, "op": "SCMP_CMP_GT"}],
    [{"index": 0, "value": 0x100000005, "op": "SCMP_CMP_LT"}],
    [{"index": 0, "value": 0x100000005, "op": "SCMP_CMP_LE"}],
    [{"index": 0, "value": 0xF0000000F, "valueTwo": 0x100000005, "op": "SCMP_CMP_MASKED_EQ"}],
    [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 1, "value": 7, "op": "SCMP_CMP_GE"}],
    [{"index": 0, "value": 1, "op": "SCMP_CMP_EQ"}, {"index": 0, "value": 2, "op": "SCMP_CMP_EQ"}],
)

CALL = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True)
for first in (0, 1, 2, 5, 0x100000004, 0x100000005, 0x100000006, 0x300000005, 2**64 - 1):
    for second in (0, 7, 8):
        ctypes.set_errno(0)
        libc.syscall(283, *map(ctypes.c_ulong, (first, second, 0)))
        print(first, second, ctypes.get_errno())
"""


@pytest.mark.needs_root
@pytest.mark.needs_kvm
@pytest.mark.parametrize("number", range(len(CONDITIONS)))
def test_conditions_hold_as_for_the_backend(
    krun: Runtime, bundle: BundleFolder, number: int
) -> None:
    """Each comparison of an argument, of 64 bits, is km's as it is the kernel's."""
    need_programs("python3")
    if krun.backend == "crun" and number == len(CONDITIONS) - 1:
        pytest.skip(
            "crun asks that both of two conditions of one argument hold: krun does as runc"
        )
    for name in ("bin", "lib", "lib64"):
        shutil.rmtree(bundle.rootfs / name, ignore_errors=True)
        (bundle.rootfs / name).symlink_to(f"usr/{name}")
    bundle.doc["mounts"].append(
        {"destination": "/usr", "type": "bind", "source": "/usr", "options": ["rbind", "ro"]}
    )
    bundle.doc["linux"]["seccomp"] = profile("SCMP_ACT_ALLOW", "SCMP_ACT_KILL", ["swapon"])
    bundle.doc["linux"]["seccomp"]["syscalls"].append(
        {"names": ["timerfd_create"], "action": "SCMP_ACT_ERRNO", "errnoRet": 77,
         "args": CONDITIONS[number]}
    )  # fmt: skip
    bundle.args("/usr/bin/python3", "-c", CALL)
    wanted, found = both(krun, bundle)
    assert found == wanted
    assert {line.split(" ")[-1] for line in wanted[1]} > {"77"}


def test_profiles_of_engines_stay_as_they_are() -> None:
    """Where the profile of containers-common has all that km needs, the kernel judges by it."""
    path = Path("/usr/share/containers/seccomp.json")
    if not path.exists():
        pytest.skip("the Debian package golang-github-containers-common is missing")
    from krun import document  # noqa: PLC0415 - as krun does

    made = document.load(str(path))
    made["syscalls"] = [
        {"names": entry["names"], "action": entry["action"], "args": entry.get("args") or []}
        for entry in made["syscalls"]
        if not (entry.get("includes") or {}).get("caps")
    ]
    assert seccomp.adapt(made) == (made, "")


def test_numbers_are_the_kernels() -> None:
    """The names of system calls have the numbers of the kernel's header."""
    if not HEADER.exists():
        pytest.skip(f"{HEADER} is missing: install the Debian package linux-libc-dev")
    found = re.findall(r"#define __NR_(\w+) (\d+)", HEADER.read_text())
    assert found
    assert {name: int(number) for name, number in found}.items() <= NUMBERS.items()


def test_what_km_needs_is_what_it_says() -> None:
    """The list that profiles are completed by is km's own."""
    if not KM.exists():
        pytest.skip(f"{KM} is missing: run `make km`")
    said = subprocess.run([KM, "--host-calls"], capture_output=True, text=True, check=True)
    assert set(said.stdout.split()) == seccomp.HOST_CALLS


def test_wrong_profile_is_refused() -> None:
    """An action, or a comparison, that there is not is an error with the way out."""
    for wrong in (
        profile("SCMP_ACT_KILL", "SCMP_ACT_NONE", ["read"]),
        profile("SCMP_ACT_KILL", "SCMP_ACT_ALLOW", ["read"], args=[{"index": 0, "op": "SAME"}]),
    ):
        with pytest.raises(KrunError, match="seccomp profile is wrong"):
            seccomp.adapt(wrong)
