# SPDX-License-Identifier: Apache-2.0
"""Kernels from 4.15 on: km does without a missing feature, or names it with a remedy.

Few kernels can be booted here, so each call, ioctl and capability is taken away in turn.
"""

import errno
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .refusal import FAILED, assert_refused
from .without import Missing, ioctl

ROOT = Path(__file__).resolve().parents[2]

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

TIMEOUT_S = 60
CHECK_EXTENSION = 0xAE03

KVM_CALLS = {
    "KVM_GET_API_VERSION": 0xAE00, "KVM_CREATE_VM": 0xAE01, "KVM_GET_VCPU_MMAP_SIZE": 0xAE04,
    "KVM_CREATE_VCPU": 0xAE41, "KVM_SET_USER_MEMORY_REGION": 0x4020AE46, "KVM_RUN": 0xAE80,
    "KVM_GET_SREGS": 0x8138AE83, "KVM_SET_SREGS": 0x4138AE84, "KVM_SET_MSRS": 0x4008AE89,
    "KVM_SET_CPUID2": 0x4008AE90, "KVM_GET_XSAVE": 0x9000AEA4, "KVM_SET_XSAVE": 0x5000AEA5,
}  # fmt: skip
"""What every run makes, the two last with its first signal: without one of them there is none."""

OPTIONAL_KVM_CALLS = {
    "KVM_SET_TSS_ADDR": 0xAE47, "KVM_SET_DEVICE_ATTR": 0x4018AEE1, "KVM_GET_REGS": 0x8090AE81,
    "KVM_SET_REGS": 0x4090AE82, "KVM_GET_DEBUGREGS": 0x8080AEA1, "KVM_GET_VCPU_EVENTS": 0x8040AE9F,
}  # fmt: skip

CAPABILITIES = {"KVM_CAP_USER_MEMORY": 3, "KVM_CAP_XSAVE": 55, "KVM_CAP_IMMEDIATE_EXIT": 136}
OPTIONAL_CAPABILITIES = {"KVM_CAP_SYNC_REGS": 74, "KVM_CAP_READONLY_MEM": 81, "KVM_CAP_XCRS": 56,
                         "KVM_CAP_NR_MEMSLOTS": 10, "KVM_CAP_MAX_VCPUS": 66}  # fmt: skip

NEWER_CALLS = {
    "seccomp": 317, "getrandom": 318, "memfd_create": 319, "membarrier": 324, "statx": 332, "rseq": 334,
    "pidfd_send_signal": 424, "io_uring_setup": 425, "clone3": 435, "close_range": 436, "openat2": 437,
    "faccessat2": 439, "process_madvise": 440, "futex_waitv": 449, "mseal": 462, "pidfd_open": 434,
    "personality": 135, "kcmp": 312, "process_vm_readv": 310, "set_robust_list": 273, "dup3": 292,
}  # fmt: skip
"""What a kernel may not have, by its age or its configuration."""

REFUSED = {"no_new_privs": Missing("PR_SET_NO_NEW_PRIVS", 157, ((0, 38),), errno.EINVAL),
           "refuses km's seccomp filter": Missing("seccomp", 317, error=errno.EPERM),
           "MADV_DONTFORK": Missing("madvise", 28)}  # fmt: skip
"""What km wants for its locks, and the words that it refuses with."""

SETTINGS = {"MADV_POPULATE_WRITE": Missing("madvise", 28, ((2, 23),), errno.EINVAL),
            "PR_SET_MM": Missing("prctl", 157, ((0, 35),), errno.EINVAL),
            "ARCH_SET_CPUID": Missing("arch_prctl", 158, ((0, 0x1012),), errno.EINVAL)}  # fmt: skip

BUSY = """
import os, signal, threading
seen = []
signal.signal(signal.SIGUSR1, lambda *_: seen.append("signal"))
os.kill(os.getpid(), signal.SIGUSR1)
threads = [threading.Thread(target=seen.append, args=(f"thread {n}",)) for n in range(3)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
child = os.fork()
if not child:
    os._exit(7)
seen.append(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
print(sorted(map(str, seen)), flush=True)
os.execv("/bin/echo", ["echo", "executed", str(sum(n * 0.5 for n in range(1000)))])
"""
"""A program with signals, threads, a child, floating point and another program."""


def _run(missing: Missing, *command: object) -> "subprocess.CompletedProcess[str]":
    """Run a command on a host that lacks something."""
    return subprocess.run(
        [str(word) for word in command], capture_output=True, text=True, check=False, timeout=TIMEOUT_S,
        preexec_fn=missing.install(),
    )  # fmt: skip


def _same(missing: Missing, km: Path) -> None:
    """Assert that a program does the same in km and on this host."""
    command = ("/usr/bin/python3", "-S", "-c", BUSY)
    native, virtual = (_run(missing, *words) for words in (command, (km, *command)))
    assert (virtual.returncode, virtual.stdout) == (native.returncode, native.stdout), virtual
    assert native.returncode == 0


@pytest.mark.parametrize("error", [errno.ENOTTY, errno.EINVAL], ids=["unknown", "refused"])
@pytest.mark.parametrize("name", KVM_CALLS)
def test_kvm_call_that_fails_is_named(name: str, error: int, km: Path) -> None:
    """Without a call of KVM's that every run makes, km ends with 125, the call's name and a remedy."""
    missing = ioctl(name, KVM_CALLS[name], error)
    done = _run(missing, km, "/usr/bin/python3", "-S", "-c", BUSY)
    assert_refused(done, FAILED, name)


def test_vm_without_memory_is_named(km: Path) -> None:
    """Where the host has no memory for the page tables of a VM, km says so, and not to report it."""
    done = _run(ioctl("KVM_RUN", KVM_CALLS["KVM_RUN"], errno.ENOMEM), km, "/bin/true")
    assert_refused(done, FAILED, "no memory for the VM's page tables", "more memory")


@pytest.mark.parametrize("name", [name for name in KVM_CALLS if "XSAVE" not in name])
def test_probe_names_the_call_that_fails(name: str, km: Path) -> None:
    """The probe ends with 125, names a step and the errno, and says what a program would be told."""
    done = _run(ioctl(name, KVM_CALLS[name], errno.EINVAL), km, "--probe")
    said, done.stdout = done.stdout, ""
    assert_refused(done, FAILED, name)
    assert re.search(r"\nstep=\w+ error=EINVAL\nresult=failed\n$", said), said


def test_host_without_kvm_calls_at_all_is_refused(km: Path) -> None:
    """Where no capability can be asked for, km says which it misses."""
    done = _run(ioctl("KVM_CHECK_EXTENSION", CHECK_EXTENSION, errno.ENOTTY), km, "/bin/true")
    assert_refused(done, FAILED, "KVM_CAP_USER_MEMORY", "newer kernel")


@pytest.mark.parametrize("name", CAPABILITIES)
def test_capability_that_is_missing_is_named(name: str, km: Path) -> None:
    """Without a capability that km needs, it says which, and since when Linux has it."""
    missing = ioctl(name, CHECK_EXTENSION, errno.EINVAL, CAPABILITIES[name])
    assert_refused(_run(missing, km, "/bin/true"), FAILED, name, "or newer", "boot a newer kernel")


@pytest.mark.parametrize("name", OPTIONAL_CAPABILITIES)
def test_capability_is_done_without(name: str, km: Path) -> None:
    """Without a capability that helps, programs run: KVM before Linux 4.17 shares no registers."""
    _same(ioctl(name, CHECK_EXTENSION, errno.EINVAL, OPTIONAL_CAPABILITIES[name]), km)


@pytest.mark.parametrize("name", OPTIONAL_KVM_CALLS)
def test_kvm_call_is_done_without(name: str, km: Path) -> None:
    """Without a call of KVM's that not every host has, programs run."""
    _same(ioctl(name, OPTIONAL_KVM_CALLS[name], errno.EINVAL), km)


@pytest.mark.parametrize("name", NEWER_CALLS)
def test_system_call_is_done_without(name: str, km: Path) -> None:
    """Without a system call that came later, or that is configured away, programs run."""
    _same(Missing(name, NEWER_CALLS[name]), km)


@pytest.mark.parametrize("name", SETTINGS)
def test_setting_is_done_without(name: str, km: Path) -> None:
    """Without a setting that makes starts faster or /proc nicer, programs run."""
    _same(SETTINGS[name], km)


def test_stat_has_no_address_of_the_monitor_where_none_can_be_set(km: Path) -> None:
    """Without PR_SET_MM, /proc/PID/stat shows no address: those there are the monitor's."""
    done = _run(SETTINGS["PR_SET_MM"], km, "/bin/cat", "/proc/self/stat")
    fields = done.stdout.rpartition(")")[2].split()
    shown = [fields[n - 3] for n in (*range(26, 31), *range(45, 52))]
    assert (len(fields), set(shown)) == (50, {"0"}), done


@pytest.mark.parametrize("words", REFUSED)
def test_missing_lock_is_named(words: str, km: Path) -> None:
    """Where km cannot lock itself in, or keep its memory from children, it says so and runs nothing."""
    assert_refused(_run(REFUSED[words], km, "/bin/echo", "hello"), FAILED, words)


def test_without_shared_registers_payloads_run_alike(km: Path, build: Callable[..., Path]) -> None:
    """On a KVM that shares no registers, signals, faults and threads are as on the host."""
    missing = ioctl("KVM_CAP_SYNC_REGS", CHECK_EXTENSION, errno.EINVAL, 74)
    for name in (
        "signal_context",
        "signal_registers",
        "syscall_registers",
        "fpu_state",
        "threads",
    ):
        program = build(name)
        native, virtual = _run(missing, program), _run(missing, km, program)
        assert (virtual.returncode, virtual.stdout) == (native.returncode, native.stdout), name


def test_numbers_are_the_kernels(tmp_path: Path) -> None:
    """The numbers of calls and capabilities here are those of the kernel's headers."""
    calls = {**{f"__NR_{name}": n for name, n in NEWER_CALLS.items() if n < 450}, **CAPABILITIES,
             **OPTIONAL_CAPABILITIES, **KVM_CALLS, **OPTIONAL_KVM_CALLS}  # fmt: skip
    lines = [f'_Static_assert({name} == {number}, "{name}");' for name, number in calls.items()]
    source = tmp_path / "numbers.c"
    source.write_text(
        "#include <asm/unistd.h>\n#include <linux/kvm.h>\n" + "\n".join(lines) + "\n"
    )
    subprocess.run(["gcc", "-fsyntax-only", source], check=True, cwd=ROOT)
