# SPDX-License-Identifier: Apache-2.0
"""km's payloads on a CPU with Intel's VMX: each does the same in a VM and on the host.

Bochs emulates the CPU. It boots once for each model, runs the comparison of `tests/km` in one go,
and each test waits for its own lines of the console. The short set has one model, and each payload
in its smallest build.
"""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from _pytest.mark import ParameterSet

from tests.km import payloads
from tests.km.compare import lay_out
from tests.km.payload import BUILDS, NATIVE, build
from tools.vm import bochs
from tools.vm.errors import VmError
from tools.vm.image import ensure_image
from tools.vm.suite import ROOT

# In a scenario `host` is this machine, on which Bochs runs; elsewhere such tests are skipped.
pytestmark = pytest.mark.usefixtures("host")

WHOLE = os.environ.get("KONTAIN_VMS") == "all"
IMAGE = os.environ.get("VM_IMAGE") or "bookworm-memory"
BENCH = ROOT / "build" / "bench"
INSTRUCTIONS = Path(__file__).resolve().parent.parent / "instructions.py"
FOR_INSTRUCTIONS = (INSTRUCTIONS, *(BENCH / name for name in ("floor", "hello", "syscall")))
JOB = """\
for name in ept unrestricted_guest vpid; do
    echo "$name=$(cat /sys/module/kvm_intel/parameters/$name)"
done
echo "instructions=$(python3 instructions.py)"
ulimit -n 4096 # one payload tries each number
export KM_TEST_TIMEOUT_S={seconds}
python3 -m tests.km.compare ./km . {names} || :
"""
BUDGETS = {
    "getpriority, km": (1.45, "an exit by SYSCALL"),
    "getpid, km": (0.3, "getpid, native"),
    "start of hello, km": (2.6, "start of a bare VM"),
}
"""The most that something may take, by what it is measured against."""
# Of one run of a payload, by the clock of the machine: some 10,000 million instructions.
TIMEOUT_S = 10

# What is left out on each model, with what Bochs 2.7 does otherwise than a CPU.
LEFT_OUT = {
    # A CPU judges by TF as it is after SYSCALL, here cleared: kvm-unit-tests, x86/syscall.c; XSA-204.
    "syscall_registers": "Bochs has a single step after a SYSCALL that clears TF",
    **dict.fromkeys(
        (
            "absurd_counts", "limits", "resource_bomb", "stopped_at_birth", "thread_churn",
            "thread_memory",
        ),
        "it spins, which takes one emulated CPU many minutes",
    ),
}  # fmt: skip
# What the CPU and KVM have a part in, more than the table of system calls.
SHORT = frozenset({
    "auxv", "bad_bases", "bad_pointers", "canonical_edge", "clocks", "cpu_fault", "exec",
    "executable_stack", "forged_mxcsr", "forged_sigreturn", "fork", "fork_memory", "fpu_state",
    "generated_code", "hello", "kernel_name", "map_fixed", "monitor_memory", "own_segments", "page_fault",
    "privileged_code", "protect", "remap", "ring_changes", "signal_context", "signal_registers",
    "signal_stack", "spawn", "stack", "stray_sigreturn", "syscall_registers", "thread_local",
    "threads", "timer_signals", "vector_restore", "vectors", "vfork", "vsyscall", "which_cpu",
})  # fmt: skip
# What is not the same on each CPU: its state, its exceptions, its page tables.
FEW = SHORT - {
    "bad_pointers", "clocks", "executable_stack", "fork_memory", "kernel_name", "map_fixed",
    "monitor_memory", "protect", "remap", "signal_stack", "spawn", "stack", "stray_sigreturn",
    "syscall_registers", "threads", "timer_signals",
}  # fmt: skip
ALL = frozenset(payload.name for payload in payloads.PAYLOADS)


@dataclass(frozen=True, eq=False)
class Cpu:
    """A CPU model of Bochs, what its KVM says of itself, and what it runs."""

    model: str
    parameters: Mapping[str, str]
    """Parameters of the module kvm_intel, as it must show them: features that the CPU has or
    lacks."""
    options: str = ""
    """Parameters that the module is given."""
    names: frozenset[str] = FEW
    left_out: Mapping[str, str] = field(default_factory=lambda: LEFT_OUT)
    """Tests that do not run there, with the reason."""


# Where XSTATE_BV leaves SSE out, that form sets MXCSR to its first value: Intel SDM volume 1, 13.8.2.
WITH_XSAVES = {"fpu_state": "Bochs' XRSTOR of the compacted form leaves MXCSR as it is"}
EPT = {"ept": "Y", "unrestricted_guest": "Y"}
CPUS = (
    Cpu("corei7_haswell_4770", EPT, names=ALL if WHOLE else SHORT),
    Cpu("core2_penryn_t9600", {"ept": "N", "unrestricted_guest": "N"}),  # shadow paging
    Cpu("corei5_lynnfield_750", {"ept": "Y", "unrestricted_guest": "N"}),
    Cpu("corei5_arrandale_m520", EPT),  # no XSAVE
    Cpu("corei7_sandy_bridge_2600k", EPT),  # no FSGSBASE
    Cpu("broadwell_ult", EPT),
    Cpu(
        "corei7_skylake_x",
        {"ept": "N", "vpid": "N"},
        "ept=0,vpid=0,flexpriority=0,enable_apicv=0",
        left_out=LEFT_OUT | WITH_XSAVES,
    ),
)[: None if WHOLE else 1]


def programs(cpu: Cpu, name: str) -> list[str]:
    """Return the names of a payload's programs that a machine has."""
    builds = payloads.find(name).builds
    return [f"{name}.{how}" for how in (builds if cpu.names == ALL else builds[:1])]


def case(cpu: Cpu, name: str) -> ParameterSet:
    """Return a test's CPU and payload, with the reason where it is left out."""
    reason = cpu.left_out.get(name)
    marks = [pytest.mark.skip(reason=reason)] if reason else []
    return pytest.param(cpu, name, marks=marks, id=f"{cpu.model}-{name}")


CASES = [
    case(cpu, payload.name)
    for cpu in CPUS
    for payload in payloads.PAYLOADS
    if payload.name in cpu.names
]


class Console:
    """A machine's output, read as far as a test asks for."""

    def __init__(self, lines: Iterator[str]) -> None:
        """Take the lines as they come."""
        self._lines = lines
        self._seen: list[str] = []
        self._failure: VmError | None = None

    def find(self, pattern: str, begin: int = 0) -> int:
        """Return the number of the first line from BEGIN on that matches; wait until it is there."""
        for number in itertools.count(begin):
            if number == len(self._seen):
                self._read()
            if re.match(pattern, self._seen[number]):
                return number
        raise AssertionError

    def _read(self) -> None:
        """Wait for a line; each test that asks for more hears what ended them."""
        try:
            if self._failure:
                raise self._failure
            self._seen.append(next(self._lines))
        except VmError as error:
            self._failure = error
            raise

    def value(self, name: str) -> str:
        """Return what a line says that begins with NAME and an equals sign."""
        return self._seen[self.find(f"{name}=")].partition("=")[2]

    def judge(self, program: str) -> None:
        """Fail or skip as tests.km.compare says of a program."""
        begin = self.find(rf"(ok|not ok|skipped) {re.escape(program)}\b")
        verdict = self._seen[begin]
        if verdict.startswith("skipped"):
            pytest.skip(f"{verdict}: give the machine more")
        if verdict.startswith("not ok"):
            end = self.find(r"(ok|not ok|skipped) |\d+ compared", begin + 1)
            pytest.fail("\n".join(self._seen[begin:end]))


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder with all that a machine may have: km, payloads, and the programs of bench/."""
    subprocess.run(["make", "-s", "-C", ROOT / "bench"], check=True)
    folder = tmp_path_factory.mktemp("built")
    for program in {each for cpu in CPUS for name in cpu.names for each in programs(cpu, name)}:
        name, _, how = program.partition(".")
        build(payloads.find(name), how, folder)
    subprocess.run(["strip", "--strip-debug", *folder.iterdir()], check=True)
    for source in (ROOT / "build/km/km", *FOR_INSTRUCTIONS):
        shutil.copy(source, folder)
    return folder


class Machines:
    """One machine at a time: that of the CPU that was asked for last."""

    figures: dict[str, Any]
    """The counts: instructions, programs and runs."""

    def __init__(self, built: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
        """Take what they run from this folder."""
        self._built = built
        self._folders = tmp_path_factory
        self._running = contextlib.ExitStack()
        self._consoles: dict[Cpu, Console] = {}
        self.figures = {"programs": 0, "runs by km": 0, "runs on the host": 0}

    def console(self, cpu: Cpu) -> Console:
        """Return the console of a machine with this CPU, whose KVM is Intel's with what it has."""
        if cpu not in self._consoles:
            self.end()
            image = ensure_image(IMAGE)
            lines = bochs.machine(image, self._job(cpu), cpu.model, cpu.options)
            self._consoles[cpu] = Console(self._running.enter_context(lines))
        console = self._consoles[cpu]
        for name, wanted in cpu.parameters.items():
            assert console.value(name) == wanted, name
        return console

    def _job(self, cpu: Cpu) -> Path:
        """Return the folder of what a CPU runs."""
        folder = self._folders.mktemp("job")
        for path in self._built.iterdir():
            if path.suffix[1:] not in BUILDS or path.name in programs(cpu, path.stem):
                (folder / path.name).hardlink_to(path)
        lay_out(folder)
        names = " ".join(sorted(cpu.names - cpu.left_out.keys()))
        (folder / "job").write_text(JOB.format(seconds=TIMEOUT_S, names=names))
        return folder

    def end(self) -> None:
        """End the machine that runs, if one does."""
        self._running.close()


@pytest.fixture(scope="module")
def machines(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Machines]:
    """The machines, none of which is left; the counts go to the scenario's figures."""
    made = Machines(built, tmp_path_factory)
    yield made
    made.end()
    if path := os.environ.get("KONTAIN_FIGURES"):
        Path(path).write_text(json.dumps(made.figures), encoding="utf-8")


def test_km_adds_few_instructions(machines: Machines) -> None:
    """A call that km makes, one answered in the guest, and a start take few more than they must.

    Bochs counts instructions, so the figures repeat to a percent or so, whatever else the host does.
    """
    counts = json.loads(machines.console(CPUS[0]).value("instructions"))
    machines.figures["instructions"] = counts
    for what, (most, beside) in BUDGETS.items():
        assert counts[what] < most * counts[beside], f"{what}: wanted {most} x {beside}: {counts}"


@pytest.mark.parametrize(("cpu", "name"), CASES)
def test_payload_is_the_same_in_a_vm(machines: Machines, cpu: Cpu, name: str) -> None:
    """The payload does what its judge asks, with each of its argument lists."""
    console = machines.console(cpu)
    payload = payloads.find(name)
    for program in programs(cpu, name):
        console.judge(program)
        machines.figures["programs"] += 1
        machines.figures["runs by km"] += len(payload.runs)
        machines.figures["runs on the host"] += len(payload.runs) * (payload.judge == NATIVE)
