# SPDX-License-Identifier: Apache-2.0
"""Make a running monitor do what an attacker who had taken it over would: ptrace(2) moves its hand."""

import ctypes
import os
import signal
import time
from pathlib import Path

PTRACE_SINGLESTEP, PTRACE_GETREGS, PTRACE_SETREGS, PTRACE_ATTACH = 9, 12, 13, 16
PTRACE_DETACH, PTRACE_SYSCALL = 17, 24
START_S = 60

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


class Registers(ctypes.Structure):
    """struct user_regs_struct of x86-64, sys/user.h."""

    _fields_ = tuple(
        (name, ctypes.c_uint64)
        for name in [
            "r15",
            "r14",
            "r13",
            "r12",
            "rbp",
            "rbx",
            "r11",
            "r10",
            "r9",
            "r8",
            "rax",
            "rcx",
            "rdx",
            "rsi",
            "rdi",
            "orig_rax",
            "rip",
            "cs",
            "eflags",
            "rsp",
            "ss",
            "fs_base",
            "gs_base",
            "ds",
            "es",
            "fs",
            "gs",
        ]
    )


def _ptrace(request: int, pid: int, data: object = None) -> None:
    if _libc.ptrace(request, pid, None, data) < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))


def wait_for_call(pid: int, number: int) -> None:
    """Return once the process waits in this system call of the host's.

    Raises:
        TimeoutError: it does not get there.
    """
    end = time.monotonic() + START_S
    while time.monotonic() < end:
        if Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()[0] == str(number):
            return
        time.sleep(0.01)
    raise TimeoutError(f"process {pid} does not wait in call {number}")


def stop(pid: int) -> None:
    """Attach to a process, which stops."""
    _ptrace(PTRACE_ATTACH, pid)
    os.waitpid(pid, 0)


def run_to_call(pid: int, number: int) -> None:
    """Let a process that is stopped run until it is about to make this system call."""
    registers = Registers()
    while registers.orig_rax != number:
        _ptrace(PTRACE_SYSCALL, pid)
        os.waitpid(pid, 0)
        _ptrace(PTRACE_GETREGS, pid, ctypes.byref(registers))


def let_go(pid: int) -> None:
    """Detach from a process, which runs on."""
    _ptrace(PTRACE_DETACH, pid)


def call(pid: int, number: int, *args: int) -> int:
    """Let a process that waits in a system call make another one instead.

    Returns:
        its result, where -errno is an error; the process stays stopped.

    Raises:
        ProcessLookupError: the process died of it; with the signal as its errno.
    """
    registers = Registers()
    stop(pid)
    _ptrace(PTRACE_GETREGS, pid, ctypes.byref(registers))
    registers.rip -= 2  # the instruction that it waits in
    registers.rax, registers.orig_rax = number, (1 << 64) - 1
    for name, value in zip(("rdi", "rsi", "rdx", "r10", "r8", "r9"), args, strict=False):
        setattr(registers, name, value)
    _ptrace(PTRACE_SETREGS, pid, ctypes.byref(registers))
    _ptrace(PTRACE_SINGLESTEP, pid)
    _, status = os.waitpid(pid, 0)
    if os.WIFSIGNALED(status):
        raise ProcessLookupError(os.WTERMSIG(status), signal.Signals(os.WTERMSIG(status)).name)
    _ptrace(PTRACE_GETREGS, pid, ctypes.byref(registers))
    return ctypes.c_int64(registers.rax).value
