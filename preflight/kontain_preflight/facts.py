# SPDX-License-Identifier: Apache-2.0
"""Facts about a host that explain what the checks find; none of them decides anything."""

from __future__ import annotations

import sys
from typing import Any, Dict, List

from .engines import MARKS
from .host import Host

HARDWARE = "hardware"
NESTED = "nested"
PVM = "pvm"
NONE = "none"

KVM_MODULES = ("kvm", "kvm_amd", "kvm_intel", "kvm_pvm")
_KINDS = {
    HARDWARE: "the CPU runs virtual machines itself",
    NESTED: "nested: the CPU's virtualization, through the hypervisor that this host runs in",
    PVM: "PVM: KVM in software, which needs no CPU flag",
    NONE: "no virtualization is visible",
}


def cpu_flags(host: Host) -> List[str]:
    """Return the flags of the first CPU."""
    for line in host.read_or("/proc/cpuinfo").splitlines():
        if line.startswith("flags"):
            return line.partition(":")[2].split()
    return []


def virtualization(host: Host) -> Dict[str, Any]:
    """Return what is known of this host's virtualization.

    `flag` is the CPU's "svm" or "vmx" or "", `modules` are the KVM modules in the kernel,
    `hypervisor` says whether this host is a virtual machine, `kind` is one of this file's kinds.
    """
    flags = cpu_flags(host)
    flag = next((flag for flag in ("svm", "vmx") if flag in flags), "")
    modules = [name for name in KVM_MODULES if host.exists(f"/sys/module/{name}")]
    hypervisor = "hypervisor" in flags
    if "kvm_pvm" in modules:
        kind = PVM
    elif flag:
        kind = NESTED if hypervisor else HARDWARE
    else:
        kind = NONE
    return {"flag": flag, "hypervisor": hypervisor, "kind": kind, "modules": modules}


def explain_virtualization(host: Host) -> str:
    """Return `virtualization` as words."""
    facts = virtualization(host)
    flag = f"CPU flag {facts['flag']}" if facts["flag"] else "no CPU flag svm or vmx"
    modules = f"modules {' '.join(facts['modules'])}" if facts["modules"] else "no module kvm"
    return f"{_KINDS[facts['kind']]}; {flag}, {modules}"


def in_container(host: Host) -> bool:
    """Return whether this process itself runs in a container."""
    return any(host.exists(path) for path in (*MARKS, "/run/systemd/container"))


def os_release(host: Host) -> Dict[str, str]:
    """Return the variables of os-release(5), {} where there is no such file."""
    text = host.read_or("/etc/os-release") or host.read_or("/usr/lib/os-release")
    pairs = (line.partition("=") for line in text.splitlines() if not line.startswith("#"))
    return {key.strip(): _unquoted(value.strip()) for key, _, value in pairs}


def _unquoted(value: str) -> str:
    """Return the value of a shell's assignment without its quotes and escapes, os-release(5)."""
    quote = value[:1]
    if quote not in ("'", '"') or len(value) < 2 or not value.endswith(quote):  # noqa: PLR2004
        return value
    inside, escaped = "", False
    for char in value[1:-1]:
        escaped = quote == '"' and char == "\\" and not escaped
        inside += "" if escaped else char
    return inside


def distribution(host: Host) -> Dict[str, str]:
    """Return `id`, `version` and `name` of os-release(5), each "" when it is not said."""
    values = os_release(host)
    return {
        "id": values.get("ID", ""),
        "version": values.get("VERSION_ID", ""),
        "name": values.get("PRETTY_NAME", ""),
    }


def install_command(host: Host, **packages: str) -> str:
    """Return the command that installs a package, by the host's package manager.

    `packages` are the package's names by package manager; `default` is the name for all others.
    """
    for manager, command in _MANAGERS.items():
        name = packages.get(manager, packages["default"])
        if host.which(manager):
            return f"{command} {name}"
    return f"install {packages['default']} by this distribution's package manager"


_MANAGERS = {
    "apt-get": "apt-get install",
    "dnf": "dnf install",
    "zypper": "zypper install",
    "apk": "apk add",
    "pacman": "pacman -S",
}


def all_facts(host: Host) -> Dict[str, Any]:
    """Return the facts for a report; unreadable ones are empty."""
    uname = host.uname()
    return {
        "architecture": uname.machine,
        "container": in_container(host),
        "distribution": distribution(host),
        "kernel": uname.release,
        "python": ".".join(map(str, sys.version_info[:3])),
        "user": host.user().name,
        "virtualization": virtualization(host),
    }
