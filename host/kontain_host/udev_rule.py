# SPDX-License-Identifier: Apache-2.0
"""A rule by which udev gives /dev/kvm to the group kvm, now and after each boot."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from typing import Any, ClassVar, Dict, Optional

from .changes import File
from .host import Host
from .journal import Entry, Journal

DEVICE = "/dev/kvm"
PATH = "/etc/udev/rules.d/65-kontain-kvm.rules"
CONTENT = b'KERNEL=="kvm", GROUP="kvm", MODE="0660", OPTIONS+="static_node=kvm"\n'

_MODE = 0o660


@dataclass(frozen=True)
class UdevRule(File):
    """The rule's file; `device` is what the device has before it: `mode`, `uid` and `gid`."""

    kind: ClassVar[str] = "udev-rule"

    device: Dict[str, int] = field(default_factory=dict)

    def params(self) -> Dict[str, Any]:
        """Return what the device had."""
        return {"device": self.device}

    def is_settled(self, host: Host) -> bool:
        """Return whether the device has the rule's mode, or there is no udev to give it."""
        return not host.which("udevadm") or look(host).get("mode", _MODE) == _MODE

    def settle(self, host: Host) -> None:
        """Let udev read its rules and apply them to the device."""
        _apply_rules(host)

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Remove the rule; the device becomes what other rules make of it, or else what it was."""
        left = super().undo(host, journal, entry)
        if left is None and host.which("udevadm"):
            _apply_rules(host)
            had, place = entry.params["device"], host.path(DEVICE)
            if had and look(host) != had and place.exists():
                os.chown(place, had["uid"], had["gid"])
                place.chmod(had["mode"])
        return left


def look(host: Host) -> Dict[str, int]:
    """Return mode, uid and gid of the device; nothing when it is not there."""
    place = host.path(DEVICE)
    if not place.exists():
        return {}
    info = place.stat()
    return {"mode": stat.S_IMODE(info.st_mode), "uid": info.st_uid, "gid": info.st_gid}


def _apply_rules(host: Host) -> None:
    host.run("udevadm", "control", "--reload")
    host.run("udevadm", "trigger", "--name-match=kvm", "--settle")
