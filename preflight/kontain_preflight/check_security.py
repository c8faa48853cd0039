# SPDX-License-Identifier: Apache-2.0
"""Checks of what may forbid what Kontain needs: SELinux and AppArmor."""

from __future__ import annotations

from .check_system import version_of
from .facts import install_command
from .host import Host
from .results import Result, passed, skipped, warned

# The first policy that lets containers use /dev/kvm: container-selinux 2.180.0, of March 2022.
OLDEST_CONTAINER_SELINUX = (2, 180)


def check_selinux(host: Host) -> Result:
    """SELinux is off, permissive, or has a policy that lets containers use /dev/kvm."""
    enforcing = host.read_or("/sys/fs/selinux/enforce")
    if enforcing != "1":
        return passed("SELinux is permissive" if enforcing == "0" else "SELinux is not active")
    rpm = host.which("rpm")
    if not rpm:
        return skipped("SELinux enforces, and without rpm the policy's version is not known")
    output = host.run(rpm, "-q", "--qf", "%{VERSION}", "container-selinux")
    version = version_of(output.stdout) if output.status == 0 else None
    wanted = ".".join(map(str, OLDEST_CONTAINER_SELINUX))
    if version is not None and version >= OLDEST_CONTAINER_SELINUX:
        return passed(f"SELinux enforces, with container-selinux {output.stdout}")
    found = f"container-selinux {output.stdout}" if version else "no container-selinux"
    return warned(
        f"SELinux enforces, with {found}, wanted {wanted} or newer",
        "older policies keep containers from /dev/kvm",
        f"run `{install_command(host, default='container-selinux')}`, which also upgrades it",
    )


def check_apparmor(host: Host) -> Result:
    """AppArmor lets containers use /dev/kvm, as the engines' own profiles do."""
    if host.read_or("/sys/module/apparmor/parameters/enabled") != "Y":
        return passed("AppArmor is not active")
    if host.read_or("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1":
        return passed("AppArmor is active; rootless engines need a profile of their own")
    return passed("AppArmor is active")
