# SPDX-License-Identifier: Apache-2.0
"""KVM by use: open it, make a virtual machine, and run eight bytes of 64-bit code in it.

Numbers and structures are those of <linux/kvm.h> and <asm/kvm.h> for x86-64; their meaning is in
Linux' Documentation/virt/kvm/api.rst.
"""

from __future__ import annotations

import ctypes
import fcntl
import mmap
import os
import signal
import struct
import threading
from typing import Any

API_VERSION = 12  # fixed since Linux 2.6.22
TIME_LIMIT_S = 2.0  # a guest of four instructions that needs longer will never end

_GET_API_VERSION = 0xAE00
_CREATE_VM = 0xAE01
_CHECK_EXTENSION = 0xAE03
_GET_VCPU_MMAP_SIZE = 0xAE04
_GET_SUPPORTED_CPUID = 0xC008AE05
_CREATE_VCPU = 0xAE41
_SET_USER_MEMORY_REGION = 0x4020AE46
_RUN = 0xAE80
_SET_REGS = 0x4090AE82
_GET_SREGS = 0x8138AE83
_SET_SREGS = 0x4138AE84
_SET_CPUID2 = 0x4008AE90

EXIT_REASONS = {2: "IO", 5: "HLT", 6: "MMIO", 8: "SHUTDOWN", 9: "FAIL_ENTRY", 17: "INTERNAL_ERROR"}
_EXIT_IO = 2
_EXIT_HLT = 5

_PORT = 0x10
# The third byte, 0x48, makes the two after it `inc %rax` in 64-bit mode, and undoes them in 32-bit mode:
# only 64-bit mode writes a K.
_GUEST = (
    b"\xb0J"  # mov $'J', %al
    b"\x48\xff\xc0"  # inc %rax
    b"\xe6\x10"  # out %al, $PORT
    b"\xf4"  # hlt
)
WANTED_OUTPUT = b"K"

_PML4, _PDPT, _PD, _CODE, _MEMORY_SIZE = 0x0000, 0x1000, 0x2000, 0x3000, 0x4000
_PRESENT_WRITABLE, _LARGE_PAGE = 0x3, 0x80
_SREGS_SIZE = 312
_CPUID_ENTRIES, _CPUID_ENTRY_SIZE = 256, 40  # as many as KVM ever has
_CR0 = 0x80050033  # PG, AM, WP, NE, ET, MP, PE
_CR4 = 0x20  # PAE
_EFER = 0x500  # LMA, LME
_RFLAGS = 0x2  # the bit that is always set


class GuestError(Exception):
    """The guest did something else than the eight bytes say."""


class Kvm:
    """One opened /dev/kvm, and what was made with it: call the methods in their order here."""

    def __init__(self, path: str = "/dev/kvm") -> None:
        """Open KVM as km does; raises the OSError of open(2)."""
        self._kvm = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._fds = [self._kvm]

    def api_version(self) -> int:
        """Return the version of the interface that KVM speaks."""
        return fcntl.ioctl(self._kvm, _GET_API_VERSION, 0)

    def extension(self, number: int) -> int:
        """Return KVM's answer about a KVM_CAP_* number: 0 is no, else yes or how much."""
        return fcntl.ioctl(self._kvm, _CHECK_EXTENSION, number)

    def create_vm(self) -> None:
        """Make an empty virtual machine; raises OSError."""
        self._vm = fcntl.ioctl(self._kvm, _CREATE_VM, 0)
        self._fds.append(self._vm)

    def create_vcpu(self) -> None:
        """Make the virtual machine's vCPU; raises OSError."""
        self._vcpu = fcntl.ioctl(self._vm, _CREATE_VCPU, 0)
        self._fds.append(self._vcpu)

    def run_guest(self) -> bytes:
        """Run the guest to its end and return what it wrote; raises OSError or GuestError."""
        size = fcntl.ioctl(self._kvm, _GET_VCPU_MMAP_SIZE, 0)
        with mmap.mmap(self._vcpu, size) as run, _guest_memory() as memory, _TimeLimit():
            self._add_memory(memory)
            self._set_cpuid()
            self._set_registers()
            return self._run(run)

    def close(self) -> None:
        """Close all that was opened; the kernel then takes the virtual machine down."""
        for fd in reversed(self._fds):
            os.close(fd)
        self._fds = []

    def _add_memory(self, memory: mmap.mmap) -> None:
        view = ctypes.c_char.from_buffer(memory)
        region = struct.pack("=IIQQQ", 0, 0, 0, _MEMORY_SIZE, ctypes.addressof(view))
        del view  # or the memory could not be closed
        fcntl.ioctl(self._vm, _SET_USER_MEMORY_REGION, region)

    def _set_cpuid(self) -> None:
        """Give the vCPU all that KVM can: without, it has no long mode that Linux 6.12 would set."""
        table = bytearray(8 + _CPUID_ENTRIES * _CPUID_ENTRY_SIZE)
        struct.pack_into("=I", table, 0, _CPUID_ENTRIES)
        fcntl.ioctl(self._kvm, _GET_SUPPORTED_CPUID, table)
        fcntl.ioctl(self._vcpu, _SET_CPUID2, table)

    def _set_registers(self) -> None:
        sregs = bytearray(_SREGS_SIZE)
        fcntl.ioctl(self._vcpu, _GET_SREGS, sregs)
        struct.pack_into("=24s", sregs, 0, _segment(selector=8, kind=0xB, long=1))
        for number in range(1, 6):  # ds, es, fs, gs, ss
            struct.pack_into("=24s", sregs, 24 * number, _segment(selector=16, kind=0x3, long=0))
        struct.pack_into("=QQQQQQ", sregs, 224, _CR0, 0, _PML4, _CR4, 0, _EFER)
        fcntl.ioctl(self._vcpu, _SET_SREGS, bytes(sregs))
        # The sixteen general registers are 0; then come rip and rflags.
        fcntl.ioctl(self._vcpu, _SET_REGS, struct.pack("=128xQQ", _CODE, _RFLAGS))

    def _run(self, run: mmap.mmap) -> bytes:
        output = b""
        while True:
            try:
                fcntl.ioctl(self._vcpu, _RUN, 0)
            except InterruptedError:  # a signal that is none of our business
                continue
            (reason,) = struct.unpack_from("=I", run, 8)
            if reason == _EXIT_HLT:
                return output
            port, offset = struct.unpack_from("=xxHxxxxQ", run, 32)
            if reason != _EXIT_IO or port != _PORT or output:
                name = EXIT_REASONS.get(reason, str(reason))
                raise GuestError(f"KVM_RUN came back with KVM_EXIT_{name} after {output!r}")
            output += run[offset : offset + 1]


def _segment(selector: int, kind: int, long: int) -> bytes:
    """Return a flat kvm_segment of ring 0: 64-bit code (`long`) or data."""
    return struct.pack(
        "=QIHBBBBBBBBBx", 0, 0xFFFFFFFF, selector, kind, 1, 0, 1 - long, 1, long, 1, 0, 0
    )


def _guest_memory() -> mmap.mmap:
    """Return guest memory that holds the code and page tables that map the first 2 MiB."""
    memory = mmap.mmap(-1, _MEMORY_SIZE, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    struct.pack_into("=Q", memory, _PML4, _PDPT | _PRESENT_WRITABLE)
    struct.pack_into("=Q", memory, _PDPT, _PD | _PRESENT_WRITABLE)
    struct.pack_into("=Q", memory, _PD, _PRESENT_WRITABLE | _LARGE_PAGE)
    memory[_CODE : _CODE + len(_GUEST)] = _GUEST
    return memory


class _TimeLimit:
    """Raise TimeoutError in the body after TIME_LIMIT_S: a broken KVM may never come back.

    Signals reach Python's main thread only; in another thread there is no limit.
    """

    def __enter__(self) -> None:
        self._active = threading.current_thread() is threading.main_thread()
        if self._active:
            self._before = signal.signal(signal.SIGALRM, _raise_timeout)
            signal.setitimer(signal.ITIMER_REAL, TIME_LIMIT_S)

    def __exit__(self, *_: object) -> None:
        if self._active:
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, self._before)


def _raise_timeout(*_: Any) -> None:
    raise TimeoutError(f"the guest did not end within {TIME_LIMIT_S:g} s")
