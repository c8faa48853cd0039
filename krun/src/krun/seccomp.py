# SPDX-License-Identifier: Apache-2.0
"""A container's seccomp profile, where it allows km's own calls, and where it does not.

A profile that was made by tracing a program lacks its monitor's calls; one that kills a thread
would leave KVM's own thread behind, and the container would never end. Then the host's kernel gets
a profile that has what km needs, and km judges the payload by the container's own, as a program of
classic BPF (seccomp(2)): the payload does not get the additions.
"""

from __future__ import annotations

import struct

from krun import document
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_HOST_CALLS = """
    access arch_prctl capget clock_gettime clock_nanosleep clone close dup dup2 dup3 execveat
    exit exit_group faccessat2 fcntl fork fstat fstatfs ftruncate futex getcwd getdents64
    getegid geteuid getgid getgroups getpid getppid getrandom getrlimit gettid getuid getxattr
    ioctl kill lseek lstat madvise memfd_create mincore mmap mprotect mremap munmap nanosleep
    newfstatat open openat openat2 prctl pread64 prlimit64 pwrite64 read readlink readlinkat
    readv restart_syscall rt_sigaction rt_sigprocmask rt_sigreturn rt_sigtimedwait
    rt_tgsigqueueinfo sched_getaffinity sched_yield seccomp set_robust_list set_tid_address
    setfsgid setfsuid setrlimit stat statfs statx sysinfo tgkill tkill uname wait4 waitid
    write writev
"""
HOST_CALLS = frozenset(_HOST_CALLS.split())
"""The calls that km makes for itself, whatever the payload does: `km --host-calls`."""

_ALLOWED = ("SCMP_ACT_ALLOW", "SCMP_ACT_LOG")
_KILLS_THREAD = ("SCMP_ACT_KILL", "SCMP_ACT_KILL_THREAD")
_ACTIONS = {
    "SCMP_ACT_KILL": 0, "SCMP_ACT_KILL_THREAD": 0, "SCMP_ACT_KILL_PROCESS": 0x80000000,
    "SCMP_ACT_TRAP": 0x30000, "SCMP_ACT_ERRNO": 0x50000, "SCMP_ACT_NOTIFY": 0x7FC00000,
    "SCMP_ACT_TRACE": 0x7FF00000, "SCMP_ACT_LOG": 0x7FFC0000, "SCMP_ACT_ALLOW": 0x7FFF0000,
}  # fmt: skip
_WITH_ERRNO = ("SCMP_ACT_ERRNO", "SCMP_ACT_TRACE")
_EPERM, _ENOSYS = 1, 38


def adapt(profile: dict[str, Any]) -> tuple[dict[str, Any], str]:
    """Return the PROFILE for the host's kernel, and the payload's own as hexadecimal BPF.

    Where the host's kernel can judge the payload's calls as km makes them, that is PROFILE itself,
    and the text is empty.
    """
    default = document.member(profile, "defaultAction", str, "linux.seccomp.") or ""
    entries = document.objects(profile, "syscalls", "linux.seccomp.")
    allowed = {name for entry in entries if _action(entry) in _ALLOWED for name in _names(entry)}
    denied = {
        name for entry in entries if _action(entry) not in _ALLOWED for name in _names(entry)
    }
    missing = HOST_CALLS & denied if default in _ALLOWED else HOST_CALLS - allowed
    if not missing and not {default, *map(_action, entries)}.intersection(_KILLS_THREAD):
        return profile, ""
    return _for_host(profile, default, entries, set(missing)), _program(profile, default, entries)


def _for_host(
    profile: dict[str, Any], default: str, entries: list[dict[str, Any]], missing: set[str]
) -> dict[str, Any]:
    """Return PROFILE with what is MISSING; a call that kills meant the payload, not the monitor."""
    made = []
    for entry in entries:
        names = _names(entry)
        if _action(entry) not in _ALLOWED:
            names = [name for name in names if name not in HOST_CALLS]
        action = "SCMP_ACT_KILL_PROCESS" if _action(entry) in _KILLS_THREAD else _action(entry)
        if names:
            made.append({**entry, "names": names, "action": action})
    if default in _ALLOWED:
        return {**profile, "syscalls": made}
    made.append({"names": sorted(missing), "action": "SCMP_ACT_ALLOW"})
    kills = default not in _WITH_ERRNO
    errno = {"defaultAction": "SCMP_ACT_ERRNO", "defaultErrnoRet": _ENOSYS} if kills else {}
    return {**profile, **errno, "syscalls": made}


def _action(entry: dict[str, Any]) -> str:
    return document.member(entry, "action", str, "linux.seccomp.syscalls.") or ""


def _names(entry: dict[str, Any]) -> list[str]:
    return document.strings(entry, "names", "linux.seccomp.syscalls.")


# ---- the program ----

_LD, _JA, _JEQ, _JGT, _JGE, _AND, _RET = 0x20, 0x05, 0x15, 0x25, 0x35, 0x54, 0x06
_NR, _ARGS = 0, 16  # where struct seccomp_data has them
_PASS, _FAIL = -1, -2  # where a jump goes: to the next condition, out of the rule
_MOST = 4096  # instructions: BPF_MAXINSNS


def _program(profile: dict[str, Any], default: str, entries: list[dict[str, Any]]) -> str:
    """Return the program that judges as libseccomp makes runc's filter do."""
    from krun.syscalls import NUMBERS  # noqa: PLC0415 - few profiles need it

    verdict = _verdict(default, document.member(profile, "defaultErrnoRet", int))
    rules: dict[int, list[tuple[list[Any], int]]] = {}
    for entry in entries:
        found = _verdict(_action(entry), document.member(entry, "errnoRet", int))
        for conditions in _alternatives(entry) if found != verdict else ():
            for name in _names(entry):
                if name in NUMBERS:  # others are not known to libseccomp either
                    rules.setdefault(NUMBERS[name], []).append((conditions, found))
    runs: list[tuple[int, Any]] = [(0, [])]
    for number in range(max(rules, default=0) + 2):
        own = rules.get(number, [])
        plain = [rule for rule in own if not rule[0]]
        own = plain[:1] or own
        if own != runs[-1][1]:
            runs.append((number, own))
    code = [(_LD, 0, 0, _NR), *_tree(runs, verdict)]
    if len(code) > _MOST:
        raise KrunError(
            f"the container's seccomp profile is too long: {len(code)} instructions, "
            f"{_MOST} at most",
            "use a profile with fewer conditions",
        )
    return b"".join(struct.pack("<HBBI", *instruction) for instruction in code).hex()


def _verdict(action: str, errno: int | None) -> int:
    if action not in _ACTIONS:
        raise KrunError(
            f"the container's seccomp profile is wrong: there is no action {action!r}",
            "correct linux.seccomp as the OCI runtime specification says",
        )
    more = (_EPERM if errno is None else errno) & 0xFFFF if action in _WITH_ERRNO else 0
    return _ACTIONS[action] | more


def _alternatives(entry: dict[str, Any]) -> list[list[dict[str, Any]]]:
    """Return the lists of conditions of ENTRY of which one must hold, as runc takes them."""
    conditions = document.objects(entry, "args", "linux.seccomp.syscalls.")
    indexes = [condition.get("index") for condition in conditions]
    if len(set(indexes)) < len(indexes):
        return [[condition] for condition in conditions]
    return [conditions]


def _tree(runs: list[tuple[int, Any]], default: int) -> list[tuple[int, int, int, int]]:
    """Return what finds the run that the number in the accumulator is in, and judges there."""
    if len(runs) == 1:
        return _judge(runs[0][1], default)
    middle = len(runs) // 2
    lower, upper = _tree(runs[:middle], default), _tree(runs[middle:], default)
    return [(_JGE, 0, 1, runs[middle][0]), (_JA, 0, 0, len(lower)), *lower, *upper]


def _judge(rules: list[tuple[list[Any], int]], default: int) -> list[tuple[int, int, int, int]]:
    code: list[tuple[int, int, int, int]] = []
    for conditions, verdict in rules:
        code += [*_all_of(conditions), (_RET, 0, 0, verdict)]
    return [*code, (_RET, 0, 0, default)]


def _all_of(conditions: list[dict[str, Any]]) -> list[tuple[int, int, int, int]]:
    """Return code that ends behind itself if all CONDITIONS hold, else one instruction further."""
    blocks = [_condition(condition) for condition in conditions]
    size = sum(map(len, blocks))
    code: list[tuple[int, int, int, int]] = []
    for block in blocks:
        end = len(code) + len(block)
        for word, jt, jf, k in block:
            here = len(code) + 1
            places = {_PASS: end - here, _FAIL: size + 1 - here}
            code.append((word, places.get(jt, jt), places.get(jf, jf), k))
    return code


def _condition(condition: dict[str, Any]) -> list[tuple[int, int, int, int]]:
    """Return what compares one argument, of 64 bits, in two halves."""
    value, second = condition.get("value") or 0, condition.get("valueTwo") or 0
    op = condition.get("op")
    low_at = _ARGS + 8 * (condition.get("index") or 0)
    mask = value if op == "SCMP_CMP_MASKED_EQ" else (1 << 64) - 1
    wanted = second if op == "SCMP_CMP_MASKED_EQ" else value
    high, low = wanted >> 32, wanted & 0xFFFFFFFF
    of_high = [(_LD, 0, 0, low_at + 4), (_AND, 0, 0, mask >> 32)]
    of_low = [(_LD, 0, 0, low_at), (_AND, 0, 0, mask & 0xFFFFFFFF)]
    yes, no = (
        (_FAIL, _PASS) if op in ("SCMP_CMP_NE", "SCMP_CMP_LT", "SCMP_CMP_LE") else (_PASS, _FAIL)
    )
    if op in ("SCMP_CMP_EQ", "SCMP_CMP_MASKED_EQ", "SCMP_CMP_NE"):
        return [*of_high, (_JEQ, 0, no, high), *of_low, (_JEQ, yes, no, low)]
    if op in ("SCMP_CMP_GE", "SCMP_CMP_LT", "SCMP_CMP_GT", "SCMP_CMP_LE"):
        last = _JGE if op in ("SCMP_CMP_GE", "SCMP_CMP_LT") else _JGT
        return [*of_high, (_JGT, yes, 0, high), (_JEQ, 0, no, high), *of_low, (last, yes, no, low)]
    raise KrunError(
        f"the container's seccomp profile is wrong: there is no comparison {op!r}",
        "correct linux.seccomp as the OCI runtime specification says",
    )
