# SPDX-License-Identifier: Apache-2.0
"""The checks of the machine itself, against machines that are made up."""

from __future__ import annotations

import os

import pytest

from kontain_preflight import check_security, check_system
from kontain_preflight.facts import HARDWARE, NESTED, NONE, PVM, distribution, virtualization
from kontain_preflight.results import FAIL, PASS, SKIP, WARN

from .made_up import MadeUpHost


@pytest.mark.parametrize(
    ("release", "status"),
    [
        ("4.14.336", FAIL),
        ("3.10.0-1160.el7.x86_64", FAIL),
        ("4.15.0", PASS),
        ("4.15-rc1", PASS),
        ("5.10.0-rc1+", PASS),
        ("6.18.44-fc-v657", PASS),
        ("10.0.1", PASS),
        ("", WARN),
        ("next-20261123", WARN),
        ("6", WARN),
    ],
)
def test_kernel_is_judged_by_its_first_two_numbers(
    host: MadeUpHost, release: str, status: str
) -> None:
    """Linux 4.15 and newer are good; a release that names no version is a warning."""
    host.release_of_kernel = release
    result = check_system.check_kernel(host)
    assert result.status == status
    assert release in result.found


@pytest.mark.parametrize("machine", ["aarch64", "i686", "riscv64"])
def test_another_architecture_is_refused(host: MadeUpHost, machine: str) -> None:
    """Only x86-64 runs Kontain, and the message has what was found and what was wanted."""
    host.machine = machine
    result = check_system.check_architecture(host)
    assert result.status == FAIL
    assert machine in result.found
    assert "x86_64" in result.found


@pytest.mark.parametrize(
    ("text", "status"),
    [("Python 3.9.2", PASS), ("Python 3.13.0rc1", PASS), ("Python 3.6.8", FAIL), ("?", FAIL)],
)
def test_python_is_asked_for_its_version(host: MadeUpHost, text: str, status: str) -> None:
    """The Python that is judged is the one in /usr/bin, which runs krun and kontain."""
    host.program("/usr/bin/python3", text)
    assert check_system.check_python(host).status == status


def test_python_is_known_by_its_name_without_running_it(host: MadeUpHost) -> None:
    """A name such as python3.12 behind the symbolic link says the version."""
    os.unlink(host.place("/usr/bin/python3"))  # noqa: PTH108
    host.program("/usr/bin/python3.12", "must not run", status=1)
    os.symlink("python3.12", host.place("/usr/bin/python3"))  # noqa: PTH211
    assert "3.12" in check_system.check_python(host).found


def test_missing_python_names_the_command_of_the_package_manager(host: MadeUpHost) -> None:
    """The fix is a command of the host's own package manager."""
    os.unlink(host.place("/usr/bin/python3"))  # noqa: PTH108
    host.program("/usr/bin/dnf", "")
    result = check_system.check_python(host)
    assert result.status == FAIL
    assert "`dnf install python3`" in result.fix


@pytest.mark.parametrize(
    ("space", "status"),
    [((64, 0), PASS), ((63, 0), FAIL), ((0, 0), FAIL), ((999, os.ST_RDONLY), FAIL)],
)
def test_the_prefix_needs_room(host: MadeUpHost, space: tuple[int, int], status: str) -> None:
    """A full or read-only file system of the prefix is refused."""
    host.space = space
    assert check_system.check_prefix_space(host).status == status


def test_a_full_disk_under_an_installed_kontain_is_a_warning(host: MadeUpHost) -> None:
    """An installed release runs on a full disk; only the next installation would not."""
    host.write("/opt/kontain/current/VERSION", "0.1.0\n")
    installed = MadeUpHost(host.folder, prefix="/opt/kontain")
    installed.space = (1, 0)
    assert installed.release_version() == "0.1.0"
    result = check_system.check_var_space(installed)
    assert result.status == WARN
    assert result.details == {"free_mib": 1, "wanted_mib": check_system.VAR_MIB}


def test_noexec_names_the_mount_point(host: MadeUpHost) -> None:
    """A prefix on a file system mounted noexec is refused, with the command that ends it."""
    host.space = (999, os.ST_NOEXEC)
    host.write(
        "/proc/self/mountinfo", "1 0 8:1 / / rw - ext4 a rw\n2 1 8:2 / /opt rw - ext4 b rw\n"
    )
    result = check_system.check_prefix_exec(host)
    assert result.status == FAIL
    assert "`mount -o remount,exec /opt`" in result.fix


@pytest.mark.parametrize("mode", ["v1", "hybrid", "v2"])
def test_the_mode_of_control_groups_is_found(host: MadeUpHost, mode: str) -> None:
    """All three modes are good, and told apart."""
    host.mount(mode)
    result = check_system.check_cgroup(host)
    assert (result.status, result.details) == (PASS, {"mode": mode})


def test_no_control_groups_are_a_warning(host: MadeUpHost) -> None:
    """Km runs without control groups; containers do not."""
    host.mount("")
    assert check_system.check_cgroup(host).status == WARN


def test_compilers_that_are_missing_are_named(host: MadeUpHost) -> None:
    """Missing compilers do not keep programs from running, and the fix says how to get them."""
    host.program("/usr/bin/gcc", "")
    host.program("/usr/bin/apt-get", "")
    result = check_system.check_compilers(host)
    assert result.status == SKIP
    assert result.details["missing"] == ["g++", "musl-gcc"]
    assert "apt-get install gcc g++ musl-tools" in result.fix


@pytest.mark.parametrize(
    ("enforce", "package", "status"),
    [
        (None, "", PASS),
        ("0", "", PASS),
        ("1", "2.180.0", PASS),
        ("1", "3.1", PASS),
        ("1", "2.167.0", WARN),
        ("1", "package container-selinux is not installed", WARN),
    ],
)
def test_selinux_wants_a_policy_that_knows_kvm(
    host: MadeUpHost, enforce: str | None, package: str, status: str
) -> None:
    """Where SELinux enforces, container-selinux 2.180.0 or newer is wanted."""
    if enforce:
        host.write("/sys/fs/selinux/enforce", enforce)
        host.program("/usr/bin/rpm", package, status=int("not installed" in package))
    assert check_security.check_selinux(host).status == status


@pytest.mark.parametrize("enabled", ["Y", "N"])
def test_apparmor_forbids_nothing(host: MadeUpHost, enabled: str) -> None:
    """The engines' profiles let containers use /dev/kvm."""
    host.write("/sys/module/apparmor/parameters/enabled", f"{enabled}\n")
    assert check_security.check_apparmor(host).status == PASS


@pytest.mark.parametrize(
    ("flags", "modules", "kind"),
    [
        ("svm", ["kvm", "kvm_amd"], HARDWARE),
        ("vmx", ["kvm", "kvm_intel"], HARDWARE),
        ("vmx hypervisor", ["kvm", "kvm_intel"], NESTED),
        ("hypervisor", ["kvm", "kvm_pvm"], PVM),
        ("hypervisor", [], NONE),
        ("", [], NONE),
    ],
)
def test_the_kind_of_virtualization_is_a_fact(
    host: MadeUpHost, flags: str, modules: list[str], kind: str
) -> None:
    """Flags and modules tell hardware, nested, PVM and none apart."""
    host.cpu(flags, *modules)
    assert virtualization(host)["kind"] == kind


def test_os_release_is_read_with_and_without_quotes(host: MadeUpHost) -> None:
    """The distribution's name comes from os-release(5), whichever quotes it uses."""
    host.write(
        "/etc/os-release", "ID=fedora\nVERSION_ID='42'\n# PRETTY_NAME=no\nPRETTY_NAME=\"F 42\"\n"
    )
    assert distribution(host) == {"id": "fedora", "version": "42", "name": "F 42"}
