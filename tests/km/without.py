# SPDX-License-Identifier: Apache-2.0
"""A host that lacks a system call, an ioctl or a capability: a seccomp filter answers in its place.

Numbers are those of x86-64: `asm/unistd_64.h` and `linux/kvm.h`; the filter is that of seccomp(2).
"""

import ctypes
import errno
import struct
from collections.abc import Callable
from dataclasses import dataclass

IOCTL = 16
_LOAD, _JUMP_IF_EQUAL, _RETURN = 0x20, 0x15, 0x06
_ALLOW, _ERRNO = 0x7FFF0000, 0x00050000
_NO_NEW_PRIVS, _SET_SECCOMP, _FILTER = 38, 22, 2


@dataclass(frozen=True)
class Missing:
    """A call that fails: its number, the low words of arguments by index, and the errno."""

    name: str
    number: int
    args: tuple[tuple[int, int], ...] = ()
    error: int = errno.ENOSYS

    def _program(self) -> bytes:
        """Make the filter: all of the conditions, then the errno; else the call is made."""
        conditions = [(0, self.number), *((16 + 8 * index, value) for index, value in self.args)]
        code = []
        for n, (offset, value) in enumerate(conditions):
            to_end = 2 * (len(conditions) - n) - 1
            code += [(_LOAD, 0, 0, offset), (_JUMP_IF_EQUAL, 0, to_end, value & 0xFFFFFFFF)]
        code += [(_RETURN, 0, 0, _ERRNO | self.error), (_RETURN, 0, 0, _ALLOW)]
        return b"".join(struct.pack("<HBBI", *line) for line in code)

    def install(self) -> Callable[[], None]:
        """Return what a child calls before it becomes the program: subprocess's preexec_fn."""
        code = ctypes.create_string_buffer(self._program())
        program = ctypes.create_string_buffer(
            struct.pack("<HxxxxxxQ", (len(code) - 1) // 8, ctypes.addressof(code))
        )
        libc = ctypes.CDLL(None, use_errno=True)

        def _install() -> None:
            _ = code
            if libc.prctl(_NO_NEW_PRIVS, 1, 0, 0, 0) or libc.prctl(
                _SET_SECCOMP, _FILTER, program, 0, 0
            ):
                raise OSError(ctypes.get_errno(), "no seccomp filter")

        return _install


def ioctl(name: str, request: int, error: int, third: int = -1) -> Missing:
    """Return an ioctl that fails, for one value of its third argument if that is not -1."""
    args = ((1, request),) if third < 0 else ((1, request), (2, third))
    return Missing(name, IOCTL, args, error)
