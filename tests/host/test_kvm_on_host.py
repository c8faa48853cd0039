# SPDX-License-Identifier: Apache-2.0
"""/dev/kvm is there, and open to chosen users; its mode stays."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kontain_host import kvm
from kontain_host.errors import HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall
from kontain_preflight.programs import Output

from .small_host import GROUPS, SmallHost, snapshot


def apply(host: SmallHost, policy: str = "leave", users: tuple[str, ...] = ()) -> Report:
    """Make KVM usable."""
    return perform(host, "kvm", lambda report: kvm.plan(host, policy, users, report))


def test_a_host_with_kvm_is_left_as_it_is(host: SmallHost) -> None:
    """Where /dev/kvm is there, nothing changes by default."""
    before = snapshot(Path(host.root))
    assert not apply(host).changed
    assert snapshot(Path(host.root)) == before


def test_membership_is_one_name_in_two_files(host: SmallHost) -> None:
    """The user is added to group and gshadow, other bytes stay, and the way back is exact."""
    before = snapshot(Path(host.root))
    report = apply(host, "group", ("alice",))
    assert host.path("/etc/group").read_text() == GROUPS.replace("carol", "carol,alice")
    assert "kvm:!::carol,alice\n" in host.path("/etc/gshadow").read_text()
    assert "membership gives nothing" in report.warnings[0]  # the device is another group's
    assert not apply(host, "group", ("alice",)).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_members_who_join_later_stay(host: SmallHost) -> None:
    """Uninstall takes out whom it put in, and nobody else."""
    apply(host, "group", ("alice",))
    group = host.path("/etc/group")
    group.write_text(group.read_text().replace("alice", "alice,dave"))
    uninstall(host)
    assert group.read_text() == GROUPS.replace("carol", "carol,dave")


def test_a_member_before_stays_a_member(host: SmallHost) -> None:
    """An earlier member is not journalled, and so never taken out."""
    host.path("/etc/passwd").write_text("carol:x:1001:1001::/:/bin/sh\n")
    assert not apply(host, "group", ("carol",)).changed


@pytest.mark.needs_root
def test_no_warning_where_the_group_may_open_the_device(host: SmallHost) -> None:
    """A device of the group kvm with its usual mode 0660 needs no word."""
    if os.geteuid() != 0:
        pytest.skip("needs root to give a file to a group: run the tests with sudo")
    os.chown(host.path("/dev/kvm"), 0, 106)
    host.path("/dev/kvm").chmod(0o660)
    assert apply(host, "group", ("alice",)).warnings == []


@pytest.mark.parametrize(
    ("policy", "users", "why"),
    [
        ("world", (), "wanted one of leave, group"),
        ("leave", ("alice",), "the policy is leave"),
        ("group", ("nobody-here",), "there is no such user"),
        ("group", ("alice,root",), "there is no such user"),
        ("group", ("alice\nroot",), "there is no such user"),
    ],
)
def test_wrong_wishes_are_refused(
    host: SmallHost, policy: str, users: tuple[str, ...], why: str
) -> None:
    """An unknown policy or user changes nothing, least of all /etc/group."""
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=why):
        apply(host, policy, users)
    assert snapshot(Path(host.root)) == before


def test_a_missing_group_is_an_error(host: SmallHost) -> None:
    """Without a group kvm, the message says how it comes to be."""
    host.path("/etc/group").write_text("root:x:0:\n")
    with pytest.raises(HostError, match="groupadd --system kvm"):
        apply(host, "group", ("alice",))


class LoadingHost(SmallHost):
    """A host whose modprobe does what modprobe does to the file system."""

    def run(self, *command: str, stdin: int | None = None, limit_s: float | None = None) -> Output:
        """Load or unload."""
        done = super().run(*command, stdin=stdin, limit_s=limit_s)
        if done.status == 0:
            name = self.path(f"/sys/module/{command[-1]}")
            if "-r" in command:
                name.rmdir()
                self.path("/dev/kvm").unlink()
            else:
                name.mkdir()
                self.path("/dev/kvm").touch()
        return done


@pytest.mark.parametrize(
    ("vendor", "module"), [("GenuineIntel", "kvm_intel"), ("AuthenticAMD", "kvm_amd")]
)
def test_a_missing_device_is_a_module_to_load(host: SmallHost, vendor: str, module: str) -> None:
    """The vendor's module is loaded, now and at boot, and unloaded in the end."""
    loading = LoadingHost(Path(host.root))
    loading.add_command("modprobe")
    loading.path("/dev/kvm").unlink()
    loading.path("/etc/modules-load.d").mkdir()
    loading.path("/proc/cpuinfo").write_text(f"processor\t: 0\nvendor_id\t: {vendor}\nflags\t:\n")
    before = snapshot(Path(host.root))
    apply(loading)
    assert loading.ran == [["modprobe", module]]
    assert loading.path("/etc/modules-load.d/kontain.conf").read_text() == f"{module}\n"
    uninstall(loading)
    assert loading.ran[-1] == ["modprobe", "-r", module]
    assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize(
    ("cpuinfo", "status", "why"),
    [
        ("vendor_id\t: GenuineIntel\n", 1, "cannot load the module kvm_intel"),
        ("vendor_id\t: GenuineIntel\n", 0, "/dev/kvm did not appear"),
        ("vendor_id\t: Unknown\n", 0, "the processor's vendor is Unknown, wanted one of"),
        ("", 0, "the processor's vendor is \\(none\\)"),
    ],
)
def test_a_host_that_gets_no_kvm_is_refused(
    host: SmallHost, cpuinfo: str, status: int, why: str
) -> None:
    """Where no module helps, nothing is left behind and the message says what to turn on."""
    host.add_command("modprobe", status)
    host.path("/dev/kvm").unlink()
    host.path("/proc/cpuinfo").write_text(cpuinfo)
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=why):
        apply(host)
    assert snapshot(Path(host.root)) == before


def device(host: SmallHost) -> tuple[str, int]:
    """Return mode and group of the device."""
    info = host.path("/dev/kvm").stat()
    return oct(info.st_mode & 0o777), info.st_gid


def test_a_rule_is_made_loaded_and_taken_back(host: SmallHost) -> None:
    """With the policy udev the rule stands, udev applies it; after uninstall all is as before."""
    host.path("/dev/kvm").chmod(0o600)
    host.add_command("udevadm")
    before, had = snapshot(Path(host.root)), device(host)
    apply(host, "udev", ("alice",))
    rule = host.path("/etc/udev/rules.d/65-kontain-kvm.rules").read_text()
    assert rule == 'KERNEL=="kvm", GROUP="kvm", MODE="0660", OPTIONS+="static_node=kvm"\n'
    wanted = [["udevadm", "control", "--reload"]]
    wanted += [["udevadm", "trigger", "--name-match=kvm", "--settle"]]
    assert host.ran[:2] == wanted
    assert "carol,alice" in host.path("/etc/group").read_text()
    host.path("/dev/kvm").chmod(0o660)  # what udev does
    assert not apply(host, "udev", ("alice",)).changed
    uninstall(host)
    assert (snapshot(Path(host.root)), device(host)) == (before, had)
    assert host.ran[-2:] == wanted


def test_what_everybody_may_open_gets_no_rule(host: SmallHost) -> None:
    """A rule would take the device from those who may open it now: a warning, and no rule."""
    host.path("/dev/kvm").chmod(0o666)
    report = apply(host, "udev")
    assert "everybody may open /dev/kvm" in report.warnings[0]
    assert not report.changed
    assert device(host)[0] == "0o666"
