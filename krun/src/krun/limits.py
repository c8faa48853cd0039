# SPDX-License-Identifier: Apache-2.0
"""A payload's limits (getrlimit(2)) that the host gets otherwise, so that they are not km's as well.

Of RLIMIT_AS and RLIMIT_DATA km takes what is above _MARK for the payload's, and judges by it; the
host never finds them reached. RLIMIT_NPROC is the host's to judge by: its hard limit gets room for
KVM's thread, which km lifts the soft one for. See base/limits.c of km.
"""

from __future__ import annotations

from krun import document
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

APART = "--processes-apart"
"""The option of km(1) that says that the hard limit of processes has ROOM_FOR_KVM."""
FEW = "--few-processes"
"""The option of km(1) that says that a limit allows few processes."""
FEW_PROCESSES = 256  # a limit above it is seldom reached, and km's trial at each fork costs 0.2 ms
ROOM_FOR_KVM = 2  # what the start of a VM has for a moment: see task/room.c of km

_MARK, _UNLIMITED = 1 << 62, (1 << 64) - 1
_NAMES = {
    "RLIMIT_AS": "Max address space",
    "RLIMIT_DATA": "Max data size",
    "RLIMIT_NPROC": "Max processes",
}  # in /proc/PID/limits
_LEAST = {"RLIMIT_DATA": 2 << 20, "RLIMIT_AS": 4 << 20}  # below, the kernel ends km unread
_HARD = slice(47, 68)  # the column of /proc/PID/limits


def for_host(process: dict[str, Any]) -> tuple[dict[str, Any], list[str]]:
    """Return the document PROCESS with limits for the host, and km's options that go with them.

    A limit that krun may not raise so far (it has one itself) stays, and is km's as well.
    """
    given = document.objects(process, "rlimits", "process.")
    if not any(
        document.member(limit, "type", str, "process.rlimits.") in _NAMES for limit in given
    ):
        return process, []
    own = _own()
    limits = [_of_host(limit, own) for limit in given]
    apart = [was for limit, was in zip(limits, given) if limit != was and _is_of_processes(was)]
    few = any(_pair(limit)[0] <= FEW_PROCESSES for limit in apart)
    return {**process, "rlimits": limits}, [APART] * bool(apart) + [FEW] * few


def for_payload(process: dict[str, Any], options: list[str]) -> dict[str, Any]:
    """Return the document PROCESS, made by for_host() with OPTIONS of km's, with what was given."""
    given = document.objects(process, "rlimits", "process.")
    limits = []
    for limit in given:
        soft, hard = _pair(limit)
        if _is_of_processes(limit):
            hard -= ROOM_FOR_KVM * (APART in options)
        elif limit.get("type") in _NAMES:
            soft, hard = (value - _MARK * (_MARK <= value < 2 * _MARK) for value in (soft, hard))
        limits.append({**limit, "soft": soft, "hard": hard})
    return {**process, "rlimits": limits} if given else process


def _of_host(limit: dict[str, Any], own: dict[str, int]) -> dict[str, Any]:
    name = limit.get("type")
    soft, hard = _pair(limit)
    if name not in _NAMES or soft > hard:  # the backend says what is wrong
        return limit
    if name == "RLIMIT_NPROC":
        roomy = min(hard + ROOM_FOR_KVM, _UNLIMITED)
        return {**limit, "hard": roomy} if hard < roomy <= own[name] else limit
    if own[name] >= _MARK:
        return {**limit, "soft": _marked(soft), "hard": _marked(hard)}
    if soft < _LEAST[name]:
        raise KrunError(
            f"the container's limit {name} is too low for a VM: it is {soft} bytes, and km needs "
            "20 MiB more than the program",
            f"raise it (podman run --ulimit {name[len('RLIMIT_') :].lower()}=…), or lift the limit "
            "that the engine has itself",
        )
    return limit


def _marked(value: int) -> int:
    return value + _MARK if value < _MARK else max(value, 2 * _MARK)


def _pair(limit: dict[str, Any]) -> tuple[int, int]:
    """Return the soft and the hard value of LIMIT; one that is missing is 0, as for backends."""
    soft, hard = (document.member(limit, of, int, "process.rlimits.") for of in ("soft", "hard"))
    return soft or 0, hard or 0


def _is_of_processes(limit: dict[str, Any]) -> bool:
    return limit.get("type") == "RLIMIT_NPROC"


def _own() -> dict[str, int]:
    """Return krun's own hard limits: without a privilege nobody may have higher ones."""
    own = {}
    lines = document.read("/proc/self/limits").decode().splitlines()
    for name, shown in _NAMES.items():
        value = next(line[_HARD].strip() for line in lines if line.startswith(shown))
        own[name] = _UNLIMITED if value == "unlimited" else int(value)
    return own
