# SPDX-License-Identifier: Apache-2.0
"""km --probe: whether programs run here, by running one, and which step fails where they do not."""

import os
import subprocess
import time
from pathlib import Path

import pytest

from .refusal import FAILED, assert_refused, run

needs_kvm = pytest.mark.usefixtures("kvm")
pytestmark = pytest.mark.needs_kvm

STEPS = ["open", "KVM_GET_API_VERSION", "KVM_CHECK_EXTENSION", "KVM_CREATE_VM", "KVM_SET_USER_MEMORY_REGION",
         "KVM_CREATE_VCPU", "KVM_SET_CPUID2", "KVM_SET_SREGS", "KVM_SET_MSRS", "seccomp", "KVM_RUN"]  # fmt: skip
"""What every host has of a run, in its order."""
ROUNDS = 30
ENOUGH_MS = 20
"""It takes 1.5 ms where nothing else runs."""


def _lines(text: str) -> list[tuple[str, str]]:
    """Split the lines NAME=VALUE."""
    return [(line.split("=", 1)[0], line.split("=", 1)[1]) for line in text.splitlines()]


def _steps(lines: list[tuple[str, str]]) -> list[str]:
    return [value.split()[0] for name, value in lines if name == "step"]


@needs_kvm
def test_probe_runs_a_program(km: Path) -> None:
    """Where programs run, it names each step, its program speaks, and the status is 0."""
    done = run([km, "--probe"])
    lines = _lines(done.stdout)
    assert (done.returncode, done.stderr) == (0, "")
    assert [step for step in _steps(lines) if step in STEPS] == STEPS
    assert lines[-1] == ("result", "ok")
    assert ("guest", "ok") in lines
    assert dict(lines)["kind"] in ("hardware", "software")
    assert dict(lines)["kernel"] == os.uname().release
    assert {name for name, _ in lines} == {
        "km",
        "kernel",
        "version",
        "step",
        "kind",
        "guest",
        "result",
    }


@needs_kvm
def test_probe_needs_no_folder_and_no_environment(km: Path, tmp_path: Path) -> None:
    """It runs from anywhere: a bundle that is not installed, with no environment, signals ignored."""
    script = 'trap "" CHLD PIPE TERM; exec "$0" --probe'
    done = run(["sh", "-c", script, km], cwd=tmp_path, env={})
    assert done.returncode == 0, done
    assert list(tmp_path.iterdir()) == []


@needs_kvm
def test_probe_takes_a_descriptor(km: Path) -> None:
    """With --kvm-fd it probes that KVM."""
    fd = os.open("/dev/kvm", os.O_RDWR)
    try:
        assert run([km, "--kvm-fd", fd, "--probe"], pass_fds=[fd]).returncode == 0
    finally:
        os.close(fd)


@needs_kvm
def test_probe_tells_what_the_host_offers(km: Path) -> None:
    """With --verbose it shows the CPU's leaves, those for KVM, its capabilities, and features."""
    lines = _lines(run([km, "--probe", "--verbose"]).stdout)
    leaves = dict(value.split(" ", 1) for name, value in lines if name == "host")
    vendor = b"".join(int(leaves["0.0"].split()[i], 16).to_bytes(4, "little") for i in (1, 3, 2))
    assert f"vendor_id\t: {vendor.decode()}\n" in Path("/proc/cpuinfo").read_text(encoding="ascii")
    assert any(name == "cpuid" and value.startswith("d.0 ") for name, value in lines)
    assert any(name == "capability" and value.startswith("136 ") for name, value in lines)
    flags = set(
        Path("/proc/cpuinfo")
        .read_text(encoding="ascii")
        .split("flags\t\t:")[1]
        .split("\n")[0]
        .split()
    )
    shown = set(dict(lines)["features"].split())
    assert {"sse2", "lm", "nx"} <= shown
    assert {name for name in shown if name.startswith("avx")} <= flags
    assert lines[-1] == ("result", "ok")


@needs_kvm
def test_probe_is_quick(km: Path) -> None:
    """It takes little more than a start: installers and containers can afford it each time."""
    times = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        subprocess.run([km, "--probe"], check=True, stdout=subprocess.DEVNULL)
        times.append(time.perf_counter() - start)
    assert min(times) * 1000 < ENOUGH_MS


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (["--probe", "payload"], "'payload'"),
        (["--verbose", "payload"], "--verbose"),
        (["--verbose"], "--verbose"),
    ],
)
def test_wrong_probe_is_refused(words: list[str], says: str, km: Path) -> None:
    """A payload has no place with --probe, and --verbose none without it."""
    assert_refused(run([km, *words]), FAILED, says)


def test_failed_probe_names_its_step(km: Path) -> None:
    """Where KVM is none, it names the step and the error, says what a program would be told, and fails."""
    done = run([km, "--kvm-fd", "0", "--probe"])
    lines, done.stdout = _lines(done.stdout), ""
    assert_refused(done, FAILED, "the descriptor 0")
    assert lines[-2][0] == "step"
    assert lines[-2][1].startswith("KVM_GET_API_VERSION error=E")
    assert lines[-1] == ("result", "failed")


@needs_kvm
def test_probe_to_a_full_disk_fails(km: Path) -> None:
    """An answer that could not be written is no success."""
    with Path("/dev/full").open("w") as full:
        status = subprocess.run([km, "--probe"], stdout=full, check=False).returncode
    assert status == FAILED
