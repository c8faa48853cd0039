# SPDX-License-Identifier: Apache-2.0
"""Files that name a program to the host's kernel: no process of a container writes them.

The kernel starts such a program as the host's root, outside of every container (usermode helpers).
User 0 of the host may write most of these files without a capability, where an engine leaves
them writable: `--security-opt systempaths=unconfined`, `unmask=ALL`, `--privileged`.
"""

from __future__ import annotations

from krun import document, mounts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FILES = {
    "proc": [
        "sys/fs/ocfs2/nm/hb_ctl_path",
        "sys/kernel/core_pattern",
        "sys/kernel/hotplug",
        "sys/kernel/modprobe",
        "sys/kernel/poweroff_cmd",
    ],
    "sysfs": ["kernel/uevent_helper", "module"],
}
"""For each file system what is kept read-only; modules come later, and some have a program's path as
a parameter (nfs, nfsd, drbd).
"""
_SOURCES = {"/proc": "proc", "/sys": "sysfs"}


def read_only(linux: dict[str, Any], given: list[dict[str, Any]]) -> dict[str, Any]:
    """Return LINUX whose read-only paths include these files in each of the mounts GIVEN."""
    paths = document.strings(linux, "readonlyPaths", "linux.")
    covered = {mounts.clean(path) for path in paths}
    covered.update(map(mounts.clean, document.strings(linux, "maskedPaths", "linux.")))
    more = [path for mount in given for path in _writable(mount) if not _is_below(path, covered)]
    return {**linux, "readonlyPaths": [*paths, *dict.fromkeys(more)]} if more else linux


def _writable(mount: dict[str, Any]) -> list[str]:
    """Return where these files are in MOUNT, none where it is read-only."""
    kind = mount.get("type")
    if mounts.is_bind(mount):
        kind = _SOURCES.get(mounts.clean(document.member(mount, "source", str, "mounts.") or "."))
    if kind not in FILES or "ro" in document.strings(mount, "options", "mounts."):
        return []
    place = mounts.clean(mount["destination"]).rstrip("/")
    return [f"{place}/{name}" for name in FILES[kind]]


def _is_below(path: str, places: set[str]) -> bool:
    """Say whether PATH is one of PLACES, or lies below one."""
    return any(f"{path}/".startswith(f"{place.rstrip('/')}/") for place in places)
