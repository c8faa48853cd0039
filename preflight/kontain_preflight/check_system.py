# SPDX-License-Identifier: Apache-2.0
"""Checks of the machine itself: its CPU, kernel, Python, disks and control groups."""

from __future__ import annotations

import os
import sys
from typing import Optional, Tuple

from .facts import distribution, install_command
from .host import Host
from .results import Result, failed, passed, skipped, warned

ARCHITECTURE = "x86_64"
OLDEST_KERNEL = (4, 15)
OLDEST_PYTHON = (3, 9)
PYTHON = "/usr/bin/python3"  # in the first line of krun and kontain

COMPILERS = ("gcc", "g++", "musl-gcc")

MIB = 1 << 20
PREFIX_MIB = 64  # two releases, for an upgrade
VAR_MIB = 512  # the installer's private Ansible, and an engine's storage

CGROUP_ROOT = "/sys/fs/cgroup"
V1, HYBRID, V2 = "v1", "hybrid", "v2"


def check_architecture(host: Host) -> Result:
    """The CPU is an x86-64 one, running a 64-bit kernel."""
    machine = host.uname().machine
    if machine == ARCHITECTURE:
        return passed(machine)
    return failed(
        f"{machine}, wanted {ARCHITECTURE}",
        "km runs x86-64 programs on x86-64 CPUs only",
        f"use a host whose `uname -m` says {ARCHITECTURE}",
    )


def check_kernel(host: Host) -> Result:
    """The kernel is Linux 4.15 or newer."""
    release = host.uname().release
    version = version_of(release)
    wanted = ".".join(map(str, OLDEST_KERNEL))
    if version is None:
        return warned(
            f"cannot read the version in {release!r}",
            f"wanted a version of {wanted} or newer at its beginning",
            "make `uname -r` name a version, or ignore this check",
        )
    if version >= OLDEST_KERNEL:
        return passed(f"Linux {release}")
    return failed(
        f"Linux {release}, wanted {wanted} or newer",
        "older kernels lack features of KVM that km needs",
        f"install a newer kernel of {distribution(host)['name'] or 'this distribution'}, and boot it",
    )


def version_of(text: str) -> Optional[Tuple[int, ...]]:
    """Return the first two numbers of a version such as `5.10.0-rc1+`, or None."""
    numbers = []
    for part in text.split(".")[:2]:
        digits = part[: len(part) - len(part.lstrip("0123456789"))]
        if not digits:
            return None
        numbers.append(int(digits))
    return tuple(numbers) if len(numbers) == 2 else None  # noqa: PLR2004  # major and minor


def check_python(host: Host) -> Result:
    """/usr/bin/python3, which runs krun and kontain, is Python 3.9 or newer."""
    wanted = ".".join(map(str, OLDEST_PYTHON))
    if not host.exists(PYTHON):
        return failed(
            f"there is no {PYTHON}, wanted Python {wanted} or newer",
            "krun and kontain are Python programs",
            f"run `{install_command(host, default='python3', pacman='python')}`",
        )
    version = _python_version(host)
    if version is not None and version >= OLDEST_PYTHON:
        return passed(f"{PYTHON} is Python {'.'.join(map(str, version))}")
    found = ".".join(map(str, version)) if version else "of an unknown version"
    return failed(
        f"{PYTHON} is Python {found}, wanted {wanted} or newer",
        "krun and kontain are written for it",
        f"use a distribution whose python3 is {wanted} or newer, such as Debian 11",
    )


def _python_version(host: Host) -> Optional[Tuple[int, ...]]:
    """Return the version of PYTHON; its name tells it without running it nearly everywhere."""
    real = host.real_path(PYTHON)
    if real == os.path.realpath(sys.executable):
        return sys.version_info[:2]
    version = version_of(real.rpartition("python")[2])
    if version is None:
        output = host.run(real, "--version")
        version = version_of((output.stdout or output.stderr).strip().rpartition(" ")[2])
    return version


def check_prefix_space(host: Host) -> Result:
    """The file system of the prefix can be written to and has room for a release."""
    return _check_space(host, host.prefix, PREFIX_MIB)


def check_var_space(host: Host) -> Result:
    """The file system of /var has room for the installer's Ansible and for containers."""
    return _check_space(host, "/var/lib", VAR_MIB)


def _check_space(host: Host, folder: str, wanted: int) -> Result:
    place, space = host.statvfs(folder)
    free = space.f_bavail * space.f_frsize // MIB
    details = {"free_mib": free, "wanted_mib": wanted}
    # What is installed already runs; it is the next installation that would fail.
    verdict = warned if host.release else failed
    if space.f_flag & os.ST_RDONLY:
        return verdict(
            f"{place} is read-only",
            f"{folder} lies on it",
            f"run `mount -o remount,rw {mount_point(host, place)}`",
            **details,
        )
    if free < wanted:
        return verdict(
            f"{place} has {free} MiB free, wanted {wanted}",
            f"{folder} lies on it",
            f"make room below {mount_point(host, place)}; `du -xhd1 {place}` shows what is large",
            **details,
        )
    return passed(f"{place} has {free} MiB free", **details)


def check_prefix_exec(host: Host) -> Result:
    """Programs below the prefix may be run: it is not on a file system mounted noexec."""
    place, space = host.statvfs(host.prefix)
    if not space.f_flag & os.ST_NOEXEC:
        return passed(f"{place} allows programs")
    return failed(
        f"{place} is mounted noexec",
        f"{host.prefix} lies on it, so no program there can run",
        f"run `mount -o remount,exec {mount_point(host, place)}`, and change /etc/fstab likewise",
    )


def mount_point(host: Host, path: str) -> str:
    """Return the mount point of the file system that `path` lies on."""
    path = host.real_path(path)
    points = [mount.point for mount in host.mounts()]
    above = [p for p in points if f"{path}/".startswith(f"{p.rstrip('/')}/")]
    return max(above, key=len, default="/")


def cgroup_mode(host: Host) -> str:
    """Return the control groups' mode: V1, HYBRID, V2, or "" when none are mounted."""
    kinds = {m.point: m.kind for m in host.mounts() if m.point.startswith(CGROUP_ROOT)}
    if kinds.get(CGROUP_ROOT) == "cgroup2":
        return V2
    if "cgroup" not in kinds.values():
        return ""
    return HYBRID if "cgroup2" in kinds.values() else V1


def check_cgroup(host: Host) -> Result:
    """Control groups are mounted, which all containers need."""
    mode = cgroup_mode(host)
    if mode:
        return passed(f"control groups {mode}", mode=mode)
    return warned(
        f"no control groups are mounted at {CGROUP_ROOT}",
        "km runs without them, containers do not",
        f"run `mount -t cgroup2 none {CGROUP_ROOT}`, or boot with systemd",
        mode=mode,
    )


def check_compilers(host: Host) -> Result:
    """The compilers are there that gcc-kontain and g++-kontain drive."""
    missing = [name for name in COMPILERS if not host.which(name)]
    if not missing:
        return passed(f"{', '.join(COMPILERS)} are there", missing=missing)
    command = install_command(
        host,
        default="gcc g++ musl",
        **{
            "apt-get": "gcc g++ musl-tools",
            "dnf": "gcc gcc-c++ musl-gcc",
            "apk": "gcc g++ musl-dev",
            "pacman": "gcc musl",
        },
    )
    return skipped(
        f"there is no {', '.join(missing)}, which only gcc-kontain and g++-kontain need",
        f"to build payloads, run `{command}`",
        missing=missing,
    )
