# SPDX-License-Identifier: Apache-2.0
"""The verb `features`: the backend's, without what krun refuses, and also for a crun of 1.8."""

from __future__ import annotations

from krun import document
from krun.backend import Backend, output
from krun.report import say

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_CHECKPOINT = "org.opencontainers.runc.checkpoint.enabled"
_HOOKS = ["prestart", "createRuntime", "createContainer", "poststart", "poststop"]
_MOUNT_OPTIONS = [
    "async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion",
    "lazytime", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion", "nolazytime",
    "nomand", "norelatime", "nostrictatime", "nosuid", "private", "rbind", "relatime", "remount",
    "ro", "rprivate", "rshared", "rslave", "runbindable", "rw", "shared", "slave", "strictatime",
    "suid", "sync", "tmpcopyup", "unbindable",
]  # fmt: skip
_NAMESPACES = ["cgroup", "ipc", "mount", "network", "pid", "user", "uts"]


def show(backend: Backend) -> int:
    """Print what BACKEND says of its features, or what can be told from how it was built."""
    status, text = output(backend, ["features"], quiet=True)
    if status == 0:
        known = document.loads(text)
    else:  # crun before 1.9
        status, text = output(backend, ["--version"])
        known = _from_version(text)
    notes = known.get("annotations") or {}
    if _CHECKPOINT in notes:
        known["annotations"] = {**notes, _CHECKPOINT: "false"}
    known["hooks"] = [stage for stage in known.get("hooks") or [] if stage in _HOOKS]
    return say(document.dumps(known) + "\n", status)


def _from_version(text: str) -> dict[str, Any]:
    """Return the features of a crun that prints TEXT as its version, in the OCI's form."""
    built = text.split()
    return {
        "ociVersionMin": "1.0.0",
        "ociVersionMax": "1.0.2",
        "hooks": _HOOKS,
        "mountOptions": _MOUNT_OPTIONS,
        "linux": {
            "namespaces": _NAMESPACES,
            "cgroup": {"v1": True, "v2": True, "systemd": "+SYSTEMD" in built},
            "seccomp": {"enabled": "+SECCOMP" in built},
            "apparmor": {"enabled": "+APPARMOR" in built},
            "selinux": {"enabled": "+SELINUX" in built},
            # 1.8.1 loses the map of a mount's users (crun's issue 1182); 1.9 has both.
            "mountExtensions": {"idmap": {"enabled": False}},
        },
    }
