# SPDX-License-Identifier: Apache-2.0
"""The members of a container's configuration that krun knows, and the document made of them alone.

runc matches a member's name whatever its case, takes the last of two, and lets null stand for
nothing; crun does each of it otherwise. So a backend never sees what a caller wrote: it gets a
document of known members, in the specification's spelling, whose values read alike everywhere.
The tables are those of the OCI runtime specification 1.3 and 1.2 for Linux. Members for other
systems (vm, windows, solaris, zos, freebsd) are unknown here.
"""

from __future__ import annotations

from krun import document
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# A kind is str, bool, a range of integers, a list with the kind of its items, or the members of an
# object by name; the name "*" stands for any.
_U16, _U32, _U64 = range(1 << 16), range(1 << 32), range(1 << 64)
_I32, _I64 = range(-(1 << 31), 1 << 31), range(-(1 << 63), 1 << 63)
_TEXTS = [str]
_MAP = {"*": str}

_DEVICE = {"major": _I64, "minor": _I64}
_THROTTLES = [{**_DEVICE, "rate": _U64}]
_IDS = [{"containerID": _U32, "hostID": _U32, "size": _U32}]
_HOOKS = [{"path": str, "args": _TEXTS, "env": _TEXTS, "timeout": _I64}]
_OFFSET = {"secs": _I64, "nanosecs": _U32}

PROCESS: dict[str, Any] = {
    "terminal": bool,
    "consoleSize": {"height": _U64, "width": _U64},
    "user": {"uid": _U32, "gid": _U32, "umask": _U32, "additionalGids": [_U32]},
    "args": _TEXTS,
    "env": _TEXTS,
    "cwd": str,
    "capabilities": {
        "bounding": _TEXTS, "effective": _TEXTS, "inheritable": _TEXTS, "permitted": _TEXTS,
        "ambient": _TEXTS,
    },
    "rlimits": [{"type": str, "hard": _U64, "soft": _U64}],
    "noNewPrivileges": bool,
    "apparmorProfile": str,
    "oomScoreAdj": _I32,
    "selinuxLabel": str,
    "scheduler": {
        "policy": str, "nice": _I32, "priority": _I32, "flags": _TEXTS, "runtime": _U64,
        "deadline": _U64, "period": _U64,
    },
    "ioPriority": {"class": str, "priority": _I32},
    "execCPUAffinity": {"initial": str, "final": str},
}  # fmt: skip
"""A process's members, in a configuration and in the document of an `exec`."""

RESOURCES: dict[str, Any] = {
    "devices": [{"allow": bool, "type": str, **_DEVICE, "access": str}],
    "memory": {
        "limit": _I64, "reservation": _I64, "swap": _I64, "kernel": _I64, "kernelTCP": _I64,
        "swappiness": _U64, "disableOOMKiller": bool, "useHierarchy": bool,
        "checkBeforeUpdate": bool,
    },
    "cpu": {
        "shares": _U64, "quota": _I64, "burst": _U64, "period": _U64, "realtimeRuntime": _I64,
        "realtimePeriod": _U64, "cpus": str, "mems": str, "idle": _I64,
    },
    "pids": {"limit": _I64},
    "blockIO": {
        "weight": _U16,
        "leafWeight": _U16,
        "weightDevice": [{**_DEVICE, "weight": _U16, "leafWeight": _U16}],
        "throttleReadBpsDevice": _THROTTLES,
        "throttleWriteBpsDevice": _THROTTLES,
        "throttleReadIOPSDevice": _THROTTLES,
        "throttleWriteIOPSDevice": _THROTTLES,
    },
    "hugepageLimits": [{"pageSize": str, "limit": _U64}],
    "network": {"classID": _U32, "priorities": [{"name": str, "priority": _U32}]},
    "rdma": {"*": {"hcaHandles": _U32, "hcaObjects": _U32}},
    "unified": _MAP,
}  # fmt: skip
"""A container's limits, in a configuration and in the document of an `update`."""

_SECCOMP = {
    "defaultAction": str,
    "defaultErrnoRet": _U32,
    "architectures": _TEXTS,
    "flags": _TEXTS,
    "listenerPath": str,
    "listenerMetadata": str,
    "syscalls": [{
        "names": _TEXTS,
        "action": str,
        "errnoRet": _U32,
        "args": [{"index": _U32, "value": _U64, "valueTwo": _U64, "op": str}],
    }],
}  # fmt: skip

_LINUX = {
    "uidMappings": _IDS,
    "gidMappings": _IDS,
    "sysctl": _MAP,
    "resources": RESOURCES,
    "cgroupsPath": str,
    "namespaces": [{"type": str, "path": str}],
    "devices": [{
        "path": str, "type": str, **_DEVICE, "fileMode": _U32, "uid": _U32, "gid": _U32,
    }],
    "netDevices": {"*": {"name": str}},
    "seccomp": _SECCOMP,
    "rootfsPropagation": str,
    "maskedPaths": _TEXTS,
    "readonlyPaths": _TEXTS,
    "mountLabel": str,
    "intelRdt": {
        "closID": str, "schemata": _TEXTS, "l3CacheSchema": str, "memBwSchema": str,
        "enableCMT": bool, "enableMBM": bool, "enableMonitoring": bool,
    },
    "memoryPolicy": {"mode": str, "nodes": str, "flags": _TEXTS},
    "personality": {"domain": str, "flags": _TEXTS},
    "timeOffsets": {"boottime": _OFFSET, "monotonic": _OFFSET},
}  # fmt: skip

CONFIG: dict[str, Any] = {
    "ociVersion": str,
    "process": PROCESS,
    "root": {"path": str, "readonly": bool},
    "hostname": str,
    "domainname": str,
    "mounts": [{
        "destination": str, "type": str, "source": str, "options": _TEXTS, "uidMappings": _IDS,
        "gidMappings": _IDS,
    }],
    "hooks": {
        "prestart": _HOOKS, "createRuntime": _HOOKS, "createContainer": _HOOKS,
        "startContainer": _HOOKS, "poststart": _HOOKS, "poststop": _HOOKS,
    },
    "annotations": _MAP,
    "linux": _LINUX,
}  # fmt: skip
"""The members of a bundle's config.json."""


def known(value: Any, kind: Any, where: str = "", *, listed: bool = False) -> Any:
    """Return VALUE, which is at WHERE in its document, with nothing but what KIND knows.

    An unknown member and a null one are left out, as the specification has it. A name that is a
    known one but for its case, and a value of another kind, are refused. LISTED says, for the
    error, that VALUE is one of a list.
    """
    if isinstance(kind, dict):
        if not isinstance(value, dict):
            raise document.wrong(where or "it", _wanted(kind, listed=listed), value)
        return _members(value, kind, where)
    if isinstance(kind, list):
        if not isinstance(value, list):
            raise document.wrong(where, "a list", value)
        return [known(item, kind[0], where, listed=True) for item in value]
    if kind is str:
        good = isinstance(value, str) and _is_text(value)
    elif kind is bool:
        good = isinstance(value, bool)
    else:
        good = type(value) is int and value in kind  # true is an int for Python
    if not good:
        raise document.wrong(where, _wanted(kind, listed=listed), value)
    return value


def _wanted(kind: Any, *, listed: bool) -> str:
    """Say what a value of KIND must be, alone or as one of a list."""
    if isinstance(kind, dict):
        return "a list of objects" if listed else "an object"
    if kind is bool:
        return "a list of true and false" if listed else "true or false"
    what = "a list of strings" if listed else "a string"
    if kind is str:
        return f"{what} without NUL or halves of characters"
    what = "a list of integers" if listed else "an integer"
    return f"{what} from {kind[0]} to {kind[-1]}"


def _is_text(text: str) -> bool:
    """Say whether TEXT is the same for a program in C, in Go, and here."""
    return "\0" not in text and (
        text.isascii() or not any("\ud800" <= letter <= "\udfff" for letter in text)
    )


def _members(value: dict[str, Any], kind: dict[str, Any], where: str) -> dict[str, Any]:
    found = {}
    for name, below in value.items():
        if name in kind:
            inner = kind[name]
        elif "*" in kind:
            inner = kind["*"]
            known(name, str, where)
        else:
            _check_spelling(name, kind, where)
            continue
        if below is not None or "*" in kind:
            found[name] = known(below, inner, f"{where}.{name}" if where else name)
    return found


def _check_spelling(name: str, kind: dict[str, Any], where: str) -> None:
    """Refuse an unknown NAME that a backend may take for a known one.

    Go compares names after folding their case, by which the long s and the sign of Kelvin are
    letters of ASCII too (encoding/json, `foldName`); Python folds at least as much.
    """
    folded = name.casefold()
    meant = next((known for known in kind if known.casefold() == folded), None)
    if meant is not None:
        shown = f"{where}.{name}" if where else name
        raise KrunError(
            f"the container's configuration is wrong: {shown!a} is {meant} but for the case of its "
            "letters, and backends would read it differently",
            f"write it {meant}, or leave it out",
        )
