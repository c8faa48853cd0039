# SPDX-License-Identifier: Apache-2.0
"""The ladder of KVM: each check takes one step more, and the last one runs a guest.

A CPU flag or a module's name decides nothing: they only explain what happened.
"""

from __future__ import annotations

import errno
import grp
import os
import stat
import time
from typing import List, NamedTuple, Tuple

from .facts import PVM, explain_virtualization, in_container, virtualization
from .host import Host, User
from .kvm import API_VERSION, WANTED_OUTPUT, GuestError
from .probe import Probe, ask
from .results import Result, failed, passed

DEVICE = "/dev/kvm"
_MISC_MAJOR = 10  # of the devices in /proc/misc: Linux' Documentation/admin-guide/devices.txt


_UNMAPPED = 65534  # the overflow group of a user namespace, user_namespaces(7)


class Capability(NamedTuple):
    """A KVM_CAP_* number of <linux/kvm.h>, and what km does with it."""

    name: str
    number: int
    use: str


NEEDED = (
    Capability("KVM_CAP_USER_MEMORY", 3, "a guest's memory is km's own memory"),
    Capability("KVM_CAP_NR_MEMSLOTS", 10, "a guest's memory grows by memslots"),
    Capability("KVM_CAP_SYNC_REGS", 74, "registers pass without a call"),
    Capability("KVM_CAP_IMMEDIATE_EXIT", 136, "a signal reaches a guest that is about to run"),
)
NICE = (
    Capability("KVM_CAP_READONLY_MEM", 81, "the clock is read without leaving the guest"),
    Capability("KVM_CAP_XSAVE", 55, "floating point state is kept"),
    Capability("KVM_CAP_XCRS", 56, "AVX can be turned on"),
    Capability("KVM_CAP_MAX_VCPUS", 66, "a thread is a vCPU"),
)


def check_kvm_device(host: Host) -> Result:
    """The kernel offers KVM as the character device /dev/kvm."""
    try:
        mode = host.stat(DEVICE).st_mode
    except FileNotFoundError:
        return _without_device(host)
    if stat.S_ISCHR(mode):
        return passed(f"{DEVICE} is there")
    kind = (
        "a folder" if stat.S_ISDIR(mode) else "a file" if stat.S_ISREG(mode) else "another thing"
    )
    return failed(
        f"{DEVICE} is {kind}, wanted a character device",
        "it was made in its place before the kernel's module was loaded; an engine makes a folder "
        f"for `--volume {DEVICE}` on a host without KVM",
        _replacement_fix(host, "rmdir" if stat.S_ISDIR(mode) else "rm"),
    )


def _replacement_fix(host: Host, command: str) -> str:
    """Say how what stands in the device's place goes, and the device comes."""
    if in_container(host):
        return f"start this container with `--device {DEVICE}`, on a host that has it"
    if any(mount.point == DEVICE for mount in host.mounts()):
        command = "umount"
    return (
        f"run `{command} {DEVICE}`, then load the module kvm_intel or kvm_amd again (`modprobe`)"
    )


def _without_device(host: Host) -> Result:
    facts = virtualization(host)
    module = {"vmx": "kvm_intel", "svm": "kvm_amd"}.get(facts["flag"], "")
    if in_container(host):
        fix = f"start this container with `--device {DEVICE}`, on a host that has it"
    elif module:
        fix = f"run `modprobe {module}`; when it fails, look at `dmesg`, and turn virtualization on in the firmware"
    elif facts["hypervisor"]:
        fix = "turn on nested virtualization for this virtual machine, or use a kernel with PVM"
    else:
        fix = "turn on VT-x or AMD-V in the firmware, then run `modprobe kvm_intel` or `kvm_amd`"
    return failed(f"there is no {DEVICE}", explain_virtualization(host), fix)


def check_kvm_access(host: Host) -> Result:
    """This user may open /dev/kvm for reading and writing."""
    try:
        _ = host.kvm
    except OSError as error:
        if error.errno in (errno.EACCES, errno.EPERM):
            return _without_access(host, error)
        return failed(
            f"{DEVICE} cannot be opened: {error.strerror}",
            f"the kernel has no KVM behind it: {explain_virtualization(host)}",
            "load the module kvm_intel or kvm_amd, and look at `dmesg` when that fails",
        )
    return passed(f"user {host.user().name} opens {DEVICE}")


def _without_access(host: Host, error: OSError) -> Result:
    status, user = host.stat(DEVICE), host.user()
    mode, group = stat.S_IMODE(status.st_mode), _group_name(status.st_gid)
    found = f"user {user.name} may not open {DEVICE}: {error.strerror}"
    cause = f"its mode is {mode:04o}, its owner is uid {status.st_uid}, its group is {group}"
    return failed(found, cause, _access_fix(status, user, group), mode=f"{mode:04o}", group=group)


def _access_fix(status: os.stat_result, user: User, group: str) -> str:
    """Say what would let the user in: a group that may, a mode that is wider, or a container's device."""
    group_may = stat.S_IMODE(status.st_mode) & 0o060 == 0o060  # noqa: PLR2004  # rw for the group
    if user.uid == 0 or (group_may and status.st_gid in user.groups):
        return (
            "its mode is not the cause: in a container, start that with "
            f"`--device {DEVICE}`; else look at what SELinux or AppArmor denies (`dmesg`)"
        )
    if status.st_gid == _UNMAPPED:
        return (
            "this user namespace has no name for the device's group: start it so that the group is "
            "kept (an engine's `--group-add keep-groups`), or use sudo on the host itself"
        )
    if group_may and status.st_gid != 0 and not group.isdigit():
        return f"run `sudo usermod -aG {group} {user.name}` and log in again, or use sudo"
    return (
        "use sudo; or open it to a group with `sudo groupadd -rf kvm; "
        f"sudo chgrp kvm {DEVICE} && sudo chmod 0660 {DEVICE} && "
        f"sudo usermod -aG kvm {user.name}` and log in again"
    )


def _group_name(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def check_kvm_api(host: Host) -> Result:
    """KVM speaks version 12 of its interface."""
    try:
        version = host.kvm.api_version()
    except OSError as error:  # ENOTTY by most drivers, EINVAL by some: another device has the name
        return _without_kvm(host, error)
    if version == API_VERSION:
        return passed(f"version {version}")
    return failed(
        f"version {version}, wanted {API_VERSION}",
        "every kernel since Linux 2.6.22 speaks 12: this is not the usual KVM",
        "run a kernel of the distribution",
    )


def _without_kvm(host: Host, error: OSError) -> Result:
    """Say what device stands where KVM's should be."""
    number = host.stat(DEVICE).st_rdev
    found = f"{os.major(number)}:{os.minor(number)}"
    wanted = _kvm_number(host)
    return failed(
        f"{DEVICE} is another device, {found}: KVM_GET_API_VERSION: {error.strerror}",
        f"wanted KVM's, {wanted}"
        if wanted
        else f"the kernel has no KVM: {explain_virtualization(host)}",
        f"run `rm {DEVICE} && mknod -m 0660 {DEVICE} c {wanted.replace(':', ' ')}`; "
        "in a container, start that with the host's device"
        if wanted
        else _replacement_fix(host, "rm"),
        device=found,
    )


def _kvm_number(host: Host) -> str:
    """Return KVM's device number as MAJOR:MINOR, "" where the kernel has no KVM."""
    minors = [
        line.split()[0]
        for line in host.read_or("/proc/misc").splitlines()
        if line.endswith(" kvm")
    ]
    return f"{_MISC_MAJOR}:{minors[0]}" if minors else ""


def check_kvm_capabilities(host: Host) -> Result:
    """KVM offers what km needs."""
    needed, nice = _missing(host, NEEDED), _missing(host, NICE)
    if needed:
        return failed(
            f"missing: {', '.join(cap.name for cap in needed)}",
            "; ".join(f"without {cap.name} it is not true that {cap.use}" for cap in needed),
            "run Linux 4.17 or newer, which has them all",
            missing=[cap.name for cap in needed + nice],
        )
    found = f"all {len(NEEDED)} that km needs"
    if nice:
        found += f"; of {len(NICE)} that help, missing: {', '.join(cap.name for cap in nice)}"
    return passed(found, missing=[cap.name for cap in nice])


def _missing(host: Host, capabilities: Tuple[Capability, ...]) -> List[Capability]:
    return [cap for cap in capabilities if host.kvm.extension(cap.number) <= 0]


def check_kvm_vm(host: Host) -> Result:
    """KVM makes a virtual machine."""
    try:
        host.kvm.create_vm()
    except OSError as error:
        if error.errno == errno.EBUSY:
            return failed(
                "KVM_CREATE_VM: the CPU's virtualization is in use",
                "another hypervisor, such as VirtualBox or VMware, holds it",
                "stop the other hypervisor's machines; `lsmod | grep -E 'vbox|vmmon'` names it",
            )
        return _kvm_failure(host, "KVM_CREATE_VM", error)
    return passed("a virtual machine was made")


def check_kvm_vcpu(host: Host) -> Result:
    """The virtual machine gets a vCPU."""
    try:
        host.kvm.create_vcpu()
    except OSError as error:
        return _kvm_failure(host, "KVM_CREATE_VCPU", error)
    return passed("a vCPU was made")


def check_kvm_guest(host: Host) -> Result:
    """A program runs in a virtual machine to its end, by km itself where there is one."""
    if host.km:
        probe = ask(host, host.km)
        if probe is not None:
            return _judge(host, probe)
    began = time.perf_counter()
    try:
        output = host.kvm.run_guest()
    except (OSError, GuestError) as error:
        return _kvm_failure(host, "KVM_RUN", error)
    took = (time.perf_counter() - began) * 1000
    if output != WANTED_OUTPUT:
        return _kvm_failure(
            host, "KVM_RUN", GuestError(f"it wrote {output!r}, wanted {WANTED_OUTPUT!r}")
        )
    kind = virtualization(host)["kind"]
    return passed(
        f"a program of eight bytes ran in {took:.1f} ms; there is no km to try "
        f"({explain_virtualization(host)})",
        kind=kind,
        software=kind == PVM,
        probe="eight bytes",
    )


def _judge(host: Host, probe: Probe) -> Result:
    """Return what km found out by running a program of its own."""
    if not probe.good:
        step = f"at {probe.step}; " if probe.step else ""
        cause = f"{step}{explain_virtualization(host)}"
        return failed(f"km: {probe.why}", cause, probe.fix, probe="km", trace=probe.trace)
    return passed(
        f"km ran a program of its own in {probe.took_us / 1000:.1f} ms "
        f"({explain_virtualization(host)})",
        kind=virtualization(host)["kind"],
        software=probe.values.get("kind") == "software",
        probe="km",
    )


def _kvm_failure(host: Host, call: str, error: Exception) -> Result:
    why = getattr(error, "strerror", None) or str(error)
    return failed(
        f"{call}: {why}",
        explain_virtualization(host),
        "look at `dmesg | grep -i kvm`; where this host is itself a virtual machine, see that its "
        "hypervisor's nested virtualization works",
    )
