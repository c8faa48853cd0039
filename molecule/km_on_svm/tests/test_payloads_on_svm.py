# SPDX-License-Identifier: Apache-2.0
"""km's payloads on a CPU with real SVM: each does the same in a VM and on the host.

The tests of `tests/km` prove the same where they run; this sends them to the virtual machine, with
the payloads compiled. In the short set each payload comes in its smallest build.
"""

from __future__ import annotations

import os
import shutil
import subprocess

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tests.km import payloads
from tests.km.compare import lay_out
from tests.km.payload import Payload, build
from tools.vm.suite import ROOT, send

THERE = "/root/km-tests"
TIMEOUT_S = 240  # of one run of a payload, under emulation on a machine that may have other work

POISONED = Payload("poisoned")
"""Not for the host that the tests run on, which would lose a page."""

WHOLE = os.environ.get("KONTAIN_VMS") == "all"
# What QEMU 7.2 does not emulate as a CPU does: it takes any MXCSR, and a program that returns to ring
# 0 makes the kernel fail.
QEMU_DIFFERS = {"forged_mxcsr", "ring_changes"}
# What the CPU and KVM have a part in, more than the table of system calls.
SHORT = {
    "auxv", "bad_bases", "bad_pointers", "canonical_edge", "clocks", "cpu_fault", "every_page", "exec",
    "executable_stack", "forged_sigreturn", "fork", "fork_memory", "fpu_state", "generated_code",
    "hello", "kernel_name", "map_fixed", "monitor_memory", "page_fault",
    "protect", "remap", "sites", "signal_at_fault", "signal_context", "signal_registers", "signal_stack", "spawn", "stack",
    "stray_sigreturn", "syscall_registers", "thread_local", "threads", "timer_signals",
    "vector_restore", "vectors", "vfork", "vsyscall", "which_cpu",
}  # fmt: skip
NAMES = [
    payload.name
    for payload in payloads.PAYLOADS
    if payload.name not in QEMU_DIFFERS and (WHOLE or payload.name in SHORT)
]


@pytest.fixture(scope="module")
def folder(host: Host, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the VM with km, the tests' tables and the compiled payloads."""
    here = tmp_path_factory.mktemp("km-tests")
    for payload in payloads.PAYLOADS:
        for how in payload.builds if WHOLE else payload.builds[:1]:
            if payload.name in NAMES:
                build(payload, how, here)
    build(POISONED, POISONED.builds[0], here)
    subprocess.run(["strip", "--strip-debug", *here.iterdir()], check=True)
    lay_out(here)
    shutil.copy(ROOT / "build/km/km", here)
    send(host, here.with_suffix(".tar.gz"), THERE, "-C", str(here), ".")
    return THERE


def test_kvm_is_amds(host: Host) -> None:
    """The machine's KVM is the module kvm_amd, on a CPU with the flag svm."""
    assert host.file("/sys/module/kvm_amd").exists
    assert "svm" in host.file("/proc/cpuinfo").content_string.split()


@pytest.mark.parametrize("name", NAMES)
def test_payload_is_the_same_in_a_vm(host: Host, folder: str, name: str) -> None:
    """The payload does what its judge asks, with each of its argument lists."""
    limits = (
        f"ulimit -n 4096; export KM_TEST_TIMEOUT_S={TIMEOUT_S}"  # one payload tries each number
    )
    done = host.run(f"cd {folder} && {limits}; python3 -m tests.km.compare km . {name}")
    if "it needs" in done.stdout and "0 compared" in done.stdout:
        pytest.skip(f"{done.stdout.strip()}: start the machine with more")
    assert done.rc == 0, f"\n{done.stdout}{done.stderr}"


def test_a_page_that_the_hardware_has_lost(host: Host, folder: str) -> None:
    """A program in a VM gets BUS_MCEERR_AR for a page that the kernel has given up, as on the host."""
    program = f"./{POISONED.name}.{POISONED.builds[0]}"
    file = host.check_output("mktemp --tmpdir=/dev/shm")
    poisoned = host.run(f"cd {folder} && {program} {file} poison")
    assert poisoned.rc == 0, poisoned.stdout + poisoned.stderr
    native = host.run(f"cd {folder} && {program} {file}")
    in_vm = host.run(f"cd {folder} && ./km {program} {file}")
    assert in_vm.stdout == native.stdout
    assert "read: r gives signal 7 code 4, address is right" in native.stdout
