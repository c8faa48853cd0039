# SPDX-License-Identifier: Apache-2.0
"""The ladder of KVM: on machines that are made up, and on this machine's own /dev/kvm."""

from __future__ import annotations

import errno
import json
import os
import signal
import stat
import threading
import time

import pytest

from kontain_preflight import kvm as kvm_module
from kontain_preflight.checks import CHECKS, run_checks
from kontain_preflight.host import Host, User
from kontain_preflight.kvm import API_VERSION, WANTED_OUTPUT, GuestError, Kvm
from kontain_preflight.results import CANNOT_RUN, FAIL, PASS, SKIP, Report, Result

from .made_up import ALICE, MadeUpHost, MadeUpKvm

LADDER = [check.id for check in CHECKS if check.id.startswith("kvm-")]


def climb(host: Host) -> dict[str, Result]:
    """Return the ladder's results by their ids."""
    checks = [check for check in CHECKS if check.id in LADDER]
    return {result.check: result for result in run_checks(host, checks).results}


def statuses(host: Host) -> list[str]:
    """Return the ladder's statuses in their order."""
    return [result.status for result in climb(host).values()]


def test_every_step_passes_where_kvm_works(host: MadeUpHost) -> None:
    """All steps pass whatever the CPU's flags are, and the machine is given back."""
    kvm = host.made_up_kvm = MadeUpKvm()
    assert statuses(host) == [PASS] * len(LADDER)
    assert kvm.closed


def test_pvm_passes_and_says_why(host: MadeUpHost) -> None:
    """A host whose CPU has neither svm nor vmx passes where a guest runs, and the result explains."""
    host.cpu("hypervisor", "kvm", "kvm_pvm")
    result = climb(host)["kvm-guest"]
    assert result.status == PASS
    assert result.details == {"kind": "pvm", "software": True, "probe": "eight bytes"}
    assert "PVM" in result.found
    assert "no CPU flag svm or vmx" in result.found


@pytest.mark.parametrize(
    ("flags", "modules", "fix"),
    [
        ("svm", ["kvm"], "`modprobe kvm_amd`"),
        ("vmx", [], "`modprobe kvm_intel`"),
        ("vmx hypervisor", [], "`modprobe kvm_intel`"),
        ("hypervisor", [], "nested virtualization"),
        ("", [], "firmware"),
    ],
)
def test_a_missing_device_says_what_to_do_on_such_a_cpu(
    host: MadeUpHost, flags: str, modules: list[str], fix: str
) -> None:
    """Without /dev/kvm the flags and modules choose the advice, and no later step is tried."""
    host.device = None
    host.cpu(flags, *modules)
    results = climb(host)
    assert results["kvm-device"].status == FAIL
    assert fix in results["kvm-device"].fix
    assert [results[name].status for name in LADDER[1:]] == [SKIP] * (len(LADDER) - 1)
    assert "kvm-access" in results["kvm-api"].found


def test_a_missing_device_in_a_container_is_given_from_outside(host: MadeUpHost) -> None:
    """In a container the advice is an option of the engine, not a module."""
    host.device = None
    host.write("/run/.containerenv", "")
    assert "--device /dev/kvm" in climb(host)["kvm-device"].fix


@pytest.mark.parametrize(
    ("kind", "place", "found", "fix"),
    [
        (stat.S_IFREG, "", "is a file,", "run `rm /dev/kvm`"),
        (stat.S_IFDIR, "", "is a folder,", "run `rmdir /dev/kvm`"),
        (stat.S_IFDIR, "mount", "is a folder,", "run `umount /dev/kvm`"),
        (stat.S_IFDIR, "container", "is a folder,", "with `--device /dev/kvm`"),
    ],
)
def test_what_is_in_the_place_of_the_device_is_refused(
    host: MadeUpHost, kind: int, place: str, found: str, fix: str
) -> None:
    """A file, or the folder that `docker run -v /dev/kvm` makes, is named with what takes it away."""
    host.device = (kind | 0o666, 0)
    if place == "mount":
        mounts = host.read("/proc/self/mountinfo")
        host.write(
            "/proc/self/mountinfo",
            f"{mounts.rstrip()}\n9 1 8:1 /x /dev/kvm rw - ext4 /dev/sda1 rw\n",
        )
    if place == "container":
        host.write("/.dockerenv", "")
    assert statuses(host)[0] == FAIL
    result = climb(host)["kvm-device"]
    assert found in result.found
    assert fix in result.fix


@pytest.mark.parametrize(
    ("mode", "group", "user", "fix"),
    [
        (0o660, 65534, ALICE, "--group-add keep-groups"),
        (0o660, 54321, ALICE, "sudo groupadd -rf kvm; sudo chgrp kvm /dev/kvm"),
        (0o660, 1, ALICE, "usermod -aG daemon alice"),
        (0o600, 0, ALICE, "chgrp kvm /dev/kvm"),
        (0o660, 0, ALICE, "chgrp kvm /dev/kvm"),
        (0o660, 54321, User(1000, "alice", (54321,)), "SELinux"),
        (0o600, 0, User(0, "root", (0,)), "--device /dev/kvm"),
    ],
)
def test_a_device_that_may_not_be_opened(
    host: MadeUpHost, mode: int, group: int, user: User, fix: str
) -> None:
    """The cause has mode, owner and group; the fix is what would help that user."""
    host.made_up_kvm = PermissionError(errno.EACCES, "Permission denied")
    host.device, host.me = (stat.S_IFCHR | mode, group), user
    result = climb(host)["kvm-access"]
    assert result.status == FAIL
    assert f"{mode:04o}" in result.cause
    assert user.name in result.found
    assert fix in result.fix


def test_a_device_without_a_driver_is_refused(host: MadeUpHost) -> None:
    """A device file left behind by a module that is gone gives its own message."""
    host.made_up_kvm = OSError(errno.ENODEV, "No such device")
    assert "No such device" in climb(host)["kvm-access"].found


def test_another_api_version_is_refused(host: MadeUpHost) -> None:
    """The message has the version found and the version wanted."""
    host.made_up_kvm = MadeUpKvm(version=11)
    result = climb(host)["kvm-api"]
    assert result.status == FAIL
    assert result.found == "version 11, wanted 12"


@pytest.mark.parametrize(
    ("misc", "cause", "fix"),
    [
        ("125 rfkill\n232 kvm\n", "wanted KVM's, 10:232", "mknod -m 0660 /dev/kvm c 10 232`"),
        ("125 rfkill\n", "the kernel has no KVM", "then load the module kvm_intel or kvm_amd"),
    ],
)
def test_another_device_in_its_place_is_refused(
    host: MadeUpHost, misc: str, cause: str, fix: str
) -> None:
    """A character device that is not KVM's is named by its number, with how to put the right one there."""
    host.made_up_kvm = Kvm("/dev/null")  # the real driver's answer to the real call
    host.device_number = os.stat("/dev/null").st_rdev  # noqa: PTH116
    host.write("/proc/misc", misc)
    results = climb(host)
    result = results["kvm-api"]
    assert result.status == FAIL
    assert result.found.startswith("/dev/kvm is another device, 1:3: ")
    assert cause in result.cause
    assert fix in result.fix
    assert results["kvm-vm"].status == SKIP


def test_a_missing_capability_that_km_needs_is_refused(host: MadeUpHost) -> None:
    """It is named; that the guest still runs does not make it good."""
    host.made_up_kvm = MadeUpKvm(missing=(74,))
    results = climb(host)
    assert results["kvm-capabilities"].status == FAIL
    assert "KVM_CAP_SYNC_REGS" in results["kvm-capabilities"].found
    assert results["kvm-guest"].status == PASS


def test_a_missing_capability_that_only_helps_is_no_failure(host: MadeUpHost) -> None:
    """It is named in the result's details."""
    host.made_up_kvm = MadeUpKvm(missing=(81,))
    result = climb(host)["kvm-capabilities"]
    assert (result.status, result.details["missing"]) == (PASS, ["KVM_CAP_READONLY_MEM"])


@pytest.mark.parametrize(
    ("method", "error", "check", "word"),
    [
        ("create_vm", OSError(errno.EBUSY, "Device or resource busy"), "kvm-vm", "hypervisor"),
        ("create_vm", OSError(errno.ENOMEM, "Cannot allocate memory"), "kvm-vm", "memory"),
        ("create_vcpu", OSError(errno.EINVAL, "Invalid argument"), "kvm-vcpu", "KVM_CREATE_VCPU"),
        ("run_guest", GuestError("KVM_EXIT_SHUTDOWN"), "kvm-guest", "KVM_EXIT_SHUTDOWN"),
        ("run_guest", TimeoutError("it did not end within 2 s"), "kvm-guest", "within 2 s"),
    ],
)
def test_a_step_that_fails_is_the_last(
    host: MadeUpHost, method: str, error: Exception, check: str, word: str
) -> None:
    """Its result says what KVM said; the steps after it are skipped."""
    host.made_up_kvm = MadeUpKvm(failures={method: error})
    results = climb(host)
    assert results[check].status == FAIL
    assert word in results[check].found + results[check].cause
    after = LADDER[LADDER.index(check) + 1 :]
    assert all(results[name].status == SKIP for name in after)


def test_a_guest_that_writes_something_else_is_refused(host: MadeUpHost) -> None:
    """A J instead of a K is a CPU that is not in 64-bit mode."""
    host.made_up_kvm = MadeUpKvm(output=b"J")
    assert climb(host)["kvm-guest"].status == FAIL


needs_kvm = pytest.mark.skipif(
    not os.access("/dev/kvm", os.R_OK | os.W_OK),
    reason="/dev/kvm is missing or closed to this user: see `kontain check`",
)


@pytest.mark.needs_kvm
@needs_kvm
def test_the_real_kvm_runs_the_guest_quickly() -> None:
    """On this machine the eight bytes run, and the whole probe takes a few milliseconds.

    The best run counts, of as many as a busy machine takes.
    """
    durations: list[float] = []
    while not durations or (min(durations) > 0.01 and sum(durations) < 60):
        began = time.perf_counter()
        kvm = Kvm()
        try:
            assert kvm.api_version() == API_VERSION
            kvm.create_vm()
            kvm.create_vcpu()
            assert kvm.run_guest() == WANTED_OUTPUT
        finally:
            kvm.close()
        durations.append(time.perf_counter() - began)
    assert min(durations) < 0.01


@pytest.mark.needs_kvm
@needs_kvm
def test_the_real_ladder_passes() -> None:
    """On this machine every step passes."""
    assert statuses(Host()) == [PASS] * len(LADDER)


@pytest.mark.needs_kvm
@needs_kvm
def test_the_probe_works_in_a_thread() -> None:
    """Without the time limit, which only the main thread can have, the guest runs as well."""
    found: list[list[str]] = []
    thread = threading.Thread(target=lambda: found.append(statuses(Host())))
    thread.start()
    thread.join()
    assert found == [[PASS] * len(LADDER)]


def test_the_time_limit_ends_a_wait(monkeypatch: pytest.MonkeyPatch) -> None:
    """A KVM_RUN that never comes back ends with TimeoutError, and the handler is put back."""
    monkeypatch.setattr(kvm_module, "TIME_LIMIT_S", 0.05)
    before = signal.getsignal(signal.SIGALRM)
    with pytest.raises(TimeoutError, match="did not end"), kvm_module._TimeLimit():
        time.sleep(10)
    assert signal.getsignal(signal.SIGALRM) is before


def _report_as_nobody() -> dict[str, object]:
    """Run all checks in a child that is the user nobody, and return their JSON form."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            report: Report = run_checks(Host(), CHECKS)
            os.write(write, json.dumps(report.as_dict()).encode())
        finally:
            os._exit(0)
    os.close(write)
    with os.fdopen(read, "rb") as pipe:
        text = pipe.read()
    os.waitpid(child, 0)
    answer: dict[str, object] = json.loads(text)
    return answer


@pytest.mark.needs_root
def test_an_unprivileged_user_is_told_how_to_get_in() -> None:
    """A user who may not open the real /dev/kvm is refused with its mode and a command."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user: run the tests with sudo")
    if not os.path.exists("/dev/kvm") or os.stat("/dev/kvm").st_mode & 0o006:  # noqa: PTH110, PTH116
        pytest.skip("/dev/kvm is missing or open to all users: needs one with mode 0660 or 0600")
    report = _report_as_nobody()
    results = report["results"]
    assert isinstance(results, list)
    access = next(result for result in results if result["check"] == "kvm-access")
    assert report["exit_status"] == CANNOT_RUN
    assert access["status"] == FAIL
    assert "nobody" in access["found"]
    assert "its mode is 06" in access["cause"]
    assert "usermod -aG" in access["fix"]
