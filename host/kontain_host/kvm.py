# SPDX-License-Identifier: Apache-2.0
"""Make /dev/kvm be there, and usable by chosen users; its mode stays unless a rule is asked for."""

from __future__ import annotations

import pwd
import re
import stat
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Optional, Sequence

from . import udev_rule
from .changes import Change, File
from .errors import HOST_REFUSED, WRONG_USAGE, HostError
from .files import State
from .host import Host
from .journal import Entry, Journal
from .membership import Member
from .report import Report
from .udev_rule import UdevRule

OWNER = "kvm"
DEVICE = "/dev/kvm"
GROUP = "kvm"
POLICIES = ("leave", "group", "udev")

_AT_BOOT = "/etc/modules-load.d/kontain.conf"
_MODULES = {"GenuineIntel": "kvm_intel", "AuthenticAMD": "kvm_amd", "HygonGenuine": "kvm_amd"}


def plan(host: Host, policy: str, users: Sequence[str], report: Report) -> List[Change]:
    """Return the changes that make KVM usable.

    A missing device is a module to load, now and at boot. The policy "leave" touches nothing
    else; "group" makes `users` members of the group kvm. What membership gives depends on the
    device's mode, which stays; where it gives nothing, `report` has a warning. "udev" adds a rule
    that gives the device to that group with mode 0660, unless everybody may open it: a rule would
    take that from others.
    """
    _judge_policy(policy, users)
    changes: List[Change] = []
    if not host.path(DEVICE).exists():
        name = _module_of(host)
        reason = f"{DEVICE} was missing"
        changes = [
            Module(f"/sys/module/{name}", OWNER, reason, name),
            File(
                _AT_BOOT, OWNER, f"{reason} and shall be there after a boot", f"{name}\n".encode()
            ),
        ]
    elif policy == "udev" and udev_rule.look(host)["mode"] & stat.S_IWOTH:
        report.warnings.append(f"everybody may open {DEVICE}, so no rule is needed, nor made")
        policy = "group"
    elif policy == "group" and users and not _group_may_open(host):
        report.warnings.append(
            f"{DEVICE} is not open to the group {GROUP}, so membership gives nothing; "
            "Kontain never widens its mode"
        )
    if policy == "udev":
        device = udev_rule.look(host)
        reason = f"the group {GROUP} may open {DEVICE}"
        changes.append(UdevRule(udev_rule.PATH, OWNER, reason, udev_rule.CONTENT, 0o644, device))
    for user in users:
        _require_user(host, user)
        reason = f"{user} may use {DEVICE}"
        changes.append(Member("/etc/group", OWNER, reason, user, GROUP))
    return changes


@dataclass(frozen=True)
class Module(Change):
    """A module of the kernel, loaded."""

    kind: ClassVar[str] = "module"

    name: str = ""

    @classmethod
    def look(cls, host: Host, path: str, params: Dict[str, Any]) -> State:
        """Return whether the module is loaded."""
        del params
        return {"type": "module", "loaded": host.path(path).exists()}

    def after(self, host: Host) -> State:
        """Return that the module is loaded."""
        del host
        return {"type": "module", "loaded": True}

    def guard(self, host: Host, last: Optional[Entry]) -> None:
        """Refuse nothing: loading overwrites nothing."""

    def before_content(self, host: Host) -> Optional[bytes]:
        """Return nothing: a module is no file."""
        del host
        return None

    def apply(self, host: Host, entry: Entry) -> None:
        """Load the module and see that the device appears."""
        del entry
        answer = host.run("modprobe", self.name)
        if answer.status != 0 or not host.path(DEVICE).exists():
            raise HostError(
                f"cannot load the module {self.name}",
                answer.stderr.strip() or f"{DEVICE} did not appear",
                "turn on VT-x or AMD-V in the firmware, or nested virtualization in the "
                "hypervisor of this machine",
                HOST_REFUSED,
            )

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Unload the module, unless it was loaded before or is in use."""
        del journal
        if entry.before["loaded"] or not host.path(entry.path).exists():
            return None
        name = entry.path.rpartition("/")[2]
        if host.run("modprobe", "-r", name).status != 0:
            return "the module is in use until the next boot"
        return None

    @classmethod
    def clean(cls, host: Host, entry: Entry) -> None:
        """Remove nothing: loading makes no draft."""


def _judge_policy(policy: str, users: Sequence[str]) -> None:
    if policy not in POLICIES:
        raise HostError(
            f"cannot follow the policy {policy!r} for {DEVICE}",
            f"wanted one of {', '.join(POLICIES)}",
            "give one of them",
            WRONG_USAGE,
        )
    if users and policy == "leave":
        raise HostError(
            f"cannot let {', '.join(users)} use {DEVICE}",
            f"the policy is {policy}, which puts nobody into a group",
            "give the policy group or udev",
            WRONG_USAGE,
        )


def _module_of(host: Host) -> str:
    """Return the module for this processor; its vendor decides, never its flags."""
    text = host.path("/proc/cpuinfo").read_text()
    match = re.search(r"^vendor_id\s*:\s*(\S+)", text, re.MULTILINE)
    vendor = match[1] if match else "(none)"
    if vendor not in _MODULES:
        raise HostError(
            f"cannot make {DEVICE}",
            f"the processor's vendor is {vendor}, wanted one of {', '.join(_MODULES)}",
            "use a host with an Intel or AMD processor",
            HOST_REFUSED,
        )
    return _MODULES[vendor]


def _group_may_open(host: Host) -> bool:
    info = host.path(DEVICE).stat()
    groups = host.path("/etc/group").read_text()
    match = re.search(rf"^{GROUP}:[^:]*:(\d+):", groups, re.MULTILINE)
    bits = stat.S_IRGRP | stat.S_IWGRP
    return match is not None and info.st_gid == int(match[1]) and info.st_mode & bits == bits


def _require_user(host: Host, user: str) -> None:
    names = [line.split(":")[0] for line in host.path("/etc/passwd").read_text().splitlines()]
    if user in names:
        return
    try:
        if host.root == "/" and pwd.getpwnam(user).pw_name == user:
            return  # a directory service has it
    except KeyError:
        pass
    raise HostError(
        f"cannot put {user!r} into the group {GROUP}",
        "there is no such user",
        "give the name of a user of this host",
    )
