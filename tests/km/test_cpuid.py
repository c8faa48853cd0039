# SPDX-License-Identifier: Apache-2.0
"""km's filter of CPUID, for real CPUs, for CPUs to come, and for nonsense: KVM takes it.

KVM's rules are those of Linux: `arch/x86/kvm/cpuid.c` (`kvm_check_cpuid`, KVM_MAX_CPUID_ENTRIES,
`cpuid_function_is_indexed`), `x86.c` (`__kvm_set_xcr`, `kvm_is_valid_cr4`, `__kvm_valid_efer`) and
`arch/x86/kernel/fpu/xstate.c` (`fpu_enable_guest_xfd_features`, which wants a permission for AMX).
"""

import errno
import fcntl
import os
import random
import re
import struct
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]

SOURCES = ROOT / "km" / "src"
DATA = Path(__file__).parent / "cpuid"

ENTRIES_MAX = 80
"""KVM_MAX_CPUID_ENTRIES before Linux 5.11; 256 since."""
WIDTHS = (48, 57)
"""Virtual addresses, of which KVM takes these."""
DYNAMIC = 1 << 18
"""State components that want a permission: AMX's tiles."""
INDEXED = {4, 7, 0xB, 0xD, 0xF, 0x10, 0x12, 0x14, 0x17, 0x18, 0x1D, 0x1E, 0x1F, 0x24, 0x8000001D}
SUBLEAF_COUNTS = 1
"""KVM_CPUID_FLAG_SIGNIFCANT_INDEX."""

AVX, AVX512 = 0x4, 0xE0
KEPT = 0x3 | AVX | AVX512
"""What km keeps of a payload: x87, SSE, AVX, AVX-512."""
OFFSETS = {2: (256, 7), 5: (64, 0xE7), 6: (512, 0xE7), 7: (1024, 0xE7)}
"""Of a component: its bytes, and the whole state that it is a part of."""

Regs = tuple[int, int, int, int]
EAX, EBX, ECX, EDX = range(4)

HIDDEN = {
    (1, 0, ECX): (2, 3, 4, 5, 6, 7, 8, 10, 11, 14, 15, 18, 24),
    (1, 0, EDX): (10, 18, 20, 21, 22, 29, 30, 31),
    (7, 0, EBX): (2, 12, 14, 15, 22, 25),
    (7, 0, ECX): (3, 4, 7, 13, 16, 17, 21, 23, 24, 29, 30, 31),
    (7, 0, EDX): (5, 15, 18, 19, 20, 22, 24, 25, 26, 27, 28, 29, 30, 31),
    (7, 1, EAX): (6, 17, 18, 19, 20, 21, 22, 26, 27),
    (7, 1, EDX): (8, 13, 15, 17, 18, 19, 21),
    (0xD, 1, EAX): (4,),
    (0x80000001, 0, ECX): (2, 3, 10, 12, 13, 15, 28, 29),
    (0x80000008, 0, EBX): (4,),
    (0x80000021, 0, EAX): (7, 17),
}
"""MPX, PKU, CET, AMX, APX, LWP, LAM, FRED, user interrupts and all else that wants a kernel."""
FORBIDDEN = (0xA, 0xF, 0x10, 0x12, 0x14, 0x19, 0x1D, 0x1E, 0x20, 0x21, 0x23, 0x24, 0x29,
             0x40000001, 0x8000000A, 0x8000001B, 0x8000001F, 0x80000020, 0xC0000001)  # fmt: skip


@dataclass
class Cpu:
    """A CPU: its name, and what each leaf and subleaf says."""

    name: str
    leaves: dict[tuple[int, int], Regs] = field(default_factory=dict)

    def xcr0(self) -> int:
        """A kernel's XSAVE: all that the CPU has."""
        low, _, _, high = self.leaves.get((0xD, 0), (0, 0, 0, 0))
        return low | high << 32


@dataclass
class Shown:
    """A payload's view: the entries in order, with their flags, after km's filter."""

    entries: list[tuple[int, int, Regs, int]] = field(default_factory=list)
    features: set[str] = field(default_factory=set)
    xsave_size: int = 0
    components: int = 0

    def get(self, leaf: int, subleaf: int = 0) -> Regs:
        """Answer as the instruction would."""
        return next((r for f, i, r, _ in self.entries if (f, i) == (leaf, subleaf)), (0, 0, 0, 0))

    def has(self, leaf: int) -> bool:
        """Whether there is an entry of this leaf."""
        return any(function == leaf for function, *_ in self.entries)


def _parse(text: str) -> Iterator[Cpu]:
    cpu = Cpu("")
    for line in text.splitlines():
        if line.startswith("["):
            cpu = Cpu(line[1:].split(";")[0])
            yield cpu
        elif line and not line.startswith("#"):
            leaf, *regs = line.split()
            function, index = (int(word, 16) for word in leaf.split("."))
            a, b, c, d = (int(word, 16) for word in regs)
            cpu.leaves[function, index] = (a, b, c, d)


REAL = list(_parse((DATA / "corpus.txt").read_text(encoding="utf-8")))
"""Published CPUID of real CPUs."""


def _made(name: str, base: str, changes: dict[tuple[int, int], Regs]) -> Cpu:
    cpu = next(cpu for cpu in REAL if cpu.name == base)
    return Cpu(name, {**cpu.leaves, **changes})


ONES: Regs = (0xFFFFFFFF,) * 4


def _component(size: int, at: int, flags: int = 0) -> Regs:
    return (size, at, flags, 0)


def _hypervisor(cpu: Cpu) -> Cpu:
    """Make the model of a hypervisor out of a CPU: its bit, and leaves of its own."""
    name, eax = f"KVM guest on {cpu.name}", cpu.leaves[1, 0]
    said = (eax[0], eax[1], eax[2] | 1 << 31, eax[3])
    signature = (0x40000001, 0x4B4D564B, 0x564B4D56, 0x4D)
    own = {(1, 0): said, (0x40000000, 0): signature, (0x40000001, 0): (0x01007EFB, 0, 0, 0)}
    return Cpu(name, {**cpu.leaves, **own})


MADE = [
    _made("APX and AVX10", "GraniteRapids_03", {
        (0xD, 0): (0xE02E7, 0x2B80, 0x2B80, 0), (0xD, 19): _component(128, 960),
        (7, 1): (0x1C30, 0, 0, 1 << 21 | 1 << 19), (0x24, 0): (0, 0x70002, 0, 0),
        (0x29, 0): (0, 1, 0, 0),
    }),
    _made("FRED, LAM, user interrupts", "GraniteRapids_03", {
        (7, 0): (2, 0xF3BFBFFB, 0xFFFFFFFF, 0xFFFFFFFF), (7, 1): ONES, (0xD, 14): _component(48, 0, 1),
    }),
    _made("state at bit 33 and up", "K20_Turin_01", {(0xD, 0): (0xE7, 0x980, 0x980, 0xFFFFFFFF)}),
    _made("AVX without its state", "SkylakeXeon", {(0xD, 0): (3, 576, 576, 0)}),
    _made("AVX-512 in part", "SkylakeXeon", {(0xD, 0): (0x67, 0xA88, 0xA88, 0)}),
    _made("state without its instructions", "SkylakeXeon", {(7, 0): (0, 0, 0, 0)}),
    _made("state that overflows the image", "SkylakeXeon", {(0xD, 7): _component(1024, 4000)}),
    _made("state of another size", "SkylakeXeon", {(0xD, 2): _component(512, 576)}),
    _made("state of a supervisor", "SkylakeXeon", {(0xD, 2): _component(256, 576, 1)}),
    _made("addresses of 57 bits", "SkylakeXeon", {(0x80000008, 0): (0x393934, 0, 0, 0)}),
    _made("endless lists", "SkylakeXeon", {(leaf, i): ONES for leaf in (4, 0xB, 0x1F) for i in range(40)}),
    *(_hypervisor(cpu) for cpu in REAL[::7]),
]  # fmt: skip
"""CPUs to come, models of hypervisors, and contradictions."""


def _random(seed: int) -> Cpu:
    """Make nonsense: known leaves and unknown ones of random bits, few or many of them set."""
    dice = random.Random(seed)  # noqa: S311
    leaves = [
        *range(0x30),
        *range(0x40000000, 0x40000003),
        *range(0x80000000, 0x80000030),
        0xC0000001,
    ]
    density = dice.choice((0, 1, 2))

    def regs() -> Regs:
        bits = [dice.getrandbits(32) for _ in range(4)]
        if density:
            more = [dice.getrandbits(32) for _ in range(4)]
            bits = [a & b if density == 1 else a | b for a, b in zip(bits, more, strict=True)]
        return tuple(bits)  # type: ignore[return-value]

    cpu = Cpu(f"random {seed}", {(leaf, 0): regs() for leaf in leaves})
    cpu.leaves.update({(leaf, i): regs() for leaf in (4, 7, 0xB, 0xD, 0x1F) for i in range(1, 34)})
    if seed % 2:  # as far as the filter believes in its state
        cpu.leaves.update({(0xD, i): _component(size, dice.randrange(576, 3000))
                           for i, (size, _) in OFFSETS.items()})  # fmt: skip
    return cpu


RANDOM = [_random(seed) for seed in range(200)]


@pytest.fixture(scope="session")
def replay(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The monitor's filter, built to read CPUs that are data."""
    program = tmp_path_factory.mktemp("cpuid") / "replay"
    parts = [
        SOURCES / "machine/cpuid_filter.c",
        SOURCES / "machine/cpuid_host.c",
        DATA / "replay.c",
    ]
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-fsanitize=undefined", "-fno-sanitize-recover", "-Wall", "-Wextra",
         "-Werror", "-iquote", SOURCES, "-o", program, *parts],
        check=True,
    )  # fmt: skip
    return program


def _show(replay: Path, how: str, cpu: Cpu, enabled: int = -1) -> Shown:
    """Run the filter over one CPU."""
    lines = [f"{how} {cpu.xcr0() if enabled < 0 else enabled:x}"]
    lines += [
        "{:x}.{:x} {:x} {:x} {:x} {:x}".format(*leaf, *regs) for leaf, regs in cpu.leaves.items()
    ]
    text = "\n".join([*lines, "end"]) + "\n"
    done = subprocess.run([replay], input=text, capture_output=True, text=True, check=True)
    shown = Shown()
    for line in done.stdout.splitlines():
        words = line.split()
        if words[0] == "features":
            shown.features = set(words[1:])
        elif words[0] == "xsave":
            shown.xsave_size, shown.components = int(words[1]), int(words[2], 16)
        elif words[0] != "end":
            function, index = (int(word, 16) for word in words[0].split("."))
            a, b, c, d, flags = (int(word, 16) for word in words[1:])
            shown.entries.append((function, index, (a, b, c, d), flags))
    return shown


def _refusals(shown: Shown) -> list[str]:
    """Give the reasons for which a KVM would refuse to take this."""
    low, _, _, high = shown.get(0xD)
    places = [(function, index) for function, index, *_ in shown.entries]
    width = shown.get(0x80000008)[EAX] >> 8 & 0xFF
    state = low | high << 32
    rules = {
        "E2BIG: too many entries": len(places) > ENTRIES_MAX,
        "an entry twice": len(set(places)) < len(places),
        "EINVAL: width of virtual addresses": shown.has(0x80000008) and width not in WIDTHS,
        "EPERM: AMX's tiles": bool(state & DYNAMIC),
        "EINVAL: XCR0 without x87": bool(state) and not state & 1,
        "EINVAL: XCR0 has AVX without SSE": bool(state & AVX) and not state & 2,
        "EINVAL: XCR0 has AVX-512 in part": state & AVX512 not in (0, AVX512)
        or (bool(state & AVX512) and not state & AVX),
        "no flag of a subleaf": any(
            function in INDEXED and not flags & SUBLEAF_COUNTS
            for function, _, _, flags in shown.entries
        ),
    }
    return [rule for rule, broken in rules.items() if broken]


def _check_state(shown: Shown) -> None:
    """Leaf 0xd tells of state that km keeps, of its size, and of no instruction without state."""
    state, size, most, high = shown.get(0xD)
    parts = {
        index: regs for function, index, regs, _ in shown.entries if function == 0xD and index > 1
    }
    assert not state & ~KEPT
    assert high == 0
    assert set(parts) == {i for i in range(2, 32) if state & 1 << i}
    ends = [576, *(regs[EAX] + regs[EBX] for regs in parts.values())]
    if state:
        assert size == most == max(ends) <= 4096
    legacy = (512, 3)  # of FXSAVE, where there is no XSAVE
    assert (shown.xsave_size, shown.components) == ((max(ends), state) if state else legacy)
    compact = 576
    for regs in (parts[i] for i in sorted(parts)):
        compact = (compact + 63 & ~63 if regs[ECX] & 2 else compact) + regs[EAX]
    flags, compact_size, *supervisor = shown.get(0xD, 1)
    assert compact_size == (compact if flags & 0xA else 0)
    assert supervisor == [0, 0]
    avx = {
        "avx",
        "avx2",
        "fma",
        "f16c",
        "xop",
        "fma4",
        "vaes",
        "vpclmulqdq",
        "sha512",
        "sm3",
        "sm4",
    }
    assert state & AVX or not {name for name in shown.features if name in avx or "avx" in name}
    assert state & AVX512 or not {
        name for name in shown.features if "512" in name and name != "sha512"
    }
    assert state or not {name for name in shown.features if "xsave" in name}


def _check_subset(cpu: Cpu, shown: Shown) -> None:
    """Nothing is shown that the CPU does not have, and nothing that is not for payloads."""
    computed = {0, 7, 0xD, 0x40000000, 0x80000000, 0x80000008}
    for function, index, regs, _ in shown.entries:
        assert function not in FORBIDDEN
        assert not (function == 7 and index > 1)
        if function not in computed:
            given = cpu.leaves.get((function, index), (0, 0, 0, 0))
            assert not any(out & ~had for out, had in zip(regs, given, strict=True)), hex(function)
    for (leaf, subleaf, reg), bits in HIDDEN.items():
        assert not [bit for bit in bits if shown.get(leaf, subleaf)[reg] & 1 << bit], hex(leaf)
    assert shown.get(0)[EAX] <= 0x1F
    assert shown.get(7)[EAX] <= 1


def _check_topology(shown: Shown) -> None:
    """Lists of caches and levels have no gap, and no thread says which CPU it is on."""
    for leaf in (4, 0xB, 0x1F, 0x8000001D, 0x80000026):
        subleaves = [index for function, index, *_ in shown.entries if function == leaf]
        assert subleaves == list(range(len(subleaves)))
    assert shown.get(1)[EBX] >> 24 == 0
    assert {shown.get(0xB, i)[EDX] for i in range(9)} == {0}


ALL = [*REAL, *MADE, *RANDOM]


@pytest.mark.parametrize("how", ["host", "kvm"])
def test_kvm_takes_what_a_payload_sees_of_any_cpu(how: str, replay: Path) -> None:
    """Of each CPU, KVM takes what is passed on, which is a part, with its state, and consistent."""
    assert len(REAL) > 60
    for cpu in ALL:
        shown = _show(replay, how, cpu)
        try:
            assert _refusals(shown) == []
            _check_subset(cpu, shown)
            _check_state(shown)
            _check_topology(shown)
        except AssertionError as error:
            raise AssertionError(f"{how}: {cpu.name}: {error}") from error


def test_kvm_would_refuse_what_these_cpus_say() -> None:
    """The rules are KVM's: entries of CPUs with AMX or long addresses are refused as they are."""
    whole = {
        cpu.name: Shown([(*leaf, regs, 1) for leaf, regs in cpu.leaves.items()]) for cpu in ALL
    }
    refused = {name for name, shown in whole.items() if _refusals(shown)}
    assert {"SapphireRapids_05", "EmeraldRapids_01", "GraniteRapids_03"} <= refused
    assert "SkylakeXeon" not in refused


CREATE_VM, CREATE_VCPU, SET_CPUID2 = 0xAE01, 0xAE41, 0x4008AE90


@pytest.fixture
def vcpu() -> Iterator[int]:
    """A vCPU that has not run."""
    fds = [os.open("/dev/kvm", os.O_RDWR)]
    try:
        fds.append(fcntl.ioctl(fds[0], CREATE_VM, 0))
        fds.append(fcntl.ioctl(fds[1], CREATE_VCPU, 0))
        yield fds[-1]
    finally:
        for fd in reversed(fds):
            os.close(fd)


def _set_cpuid(vcpu: int, shown: Shown) -> int:
    """Tell this host's KVM; return 0, or the errno of its refusal."""
    entries = [struct.pack("<7I12x", f, i, flags, *regs) for f, i, regs, flags in shown.entries]
    told = bytearray(struct.pack("<2I", len(entries), 0) + b"".join(entries))
    try:
        fcntl.ioctl(vcpu, SET_CPUID2, told)
    except OSError as error:
        return error.errno or errno.EIO
    return 0


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
def test_this_hosts_kvm_takes_them_too(vcpu: int, replay: Path) -> None:
    """This host's own KVM takes what is passed on of each CPU; AMX's tiles, unfiltered, it refuses."""
    refused = [cpu.name for cpu in ALL if _set_cpuid(vcpu, _show(replay, "host", cpu))]
    assert refused == []
    amx = next(cpu for cpu in REAL if cpu.name == "SapphireRapids_05")
    whole = Shown([(*leaf, regs, leaf[0] in INDEXED) for leaf, regs in amx.leaves.items()])
    assert _set_cpuid(vcpu, whole) in (errno.EPERM, 0)  # 0: a kernel before 5.17, without AMX


def _brand(get: Shown) -> str:
    words = [word for leaf in (0x80000002, 0x80000003, 0x80000004) for word in get.get(leaf)]
    return b"".join(word.to_bytes(4, "little") for word in words).split(b"\0")[0].decode("ascii")


@pytest.mark.parametrize("cpu", REAL, ids=[cpu.name for cpu in REAL])
def test_payload_knows_its_cpu(cpu: Cpu, replay: Path) -> None:
    """A payload sees vendor, family, brand, and the instructions that it may use of a real CPU."""
    shown = _show(replay, "host", cpu)
    native = Shown([(*leaf, regs, 1) for leaf, regs in cpu.leaves.items()])
    assert shown.get(0)[1:] == native.get(0)[1:]
    assert shown.get(1)[EAX] == native.get(1)[EAX]
    assert _brand(shown) == _brand(native)
    assert re.fullmatch(r"[ -~]*", _brand(shown))
    assert {"sse2", "fxsr", "cx8", "lm"} <= shown.features
    native_avx512 = native.get(7)[EBX] & 1 << 16 and cpu.xcr0() & AVX512 == AVX512
    assert ("avx512f" in shown.features) == bool(native_avx512)
    assert ("avx2" in shown.features) == bool(native.get(7)[EBX] & 1 << 5 and cpu.xcr0() & AVX)
    assert shown.get(0x80000008)[EAX] & 0xFF == native.get(0x80000008)[EAX] & 0xFF


def test_what_the_hosts_kernel_disables_is_not_shown(replay: Path) -> None:
    """Without AVX-512's state in XCR0, a payload sees AVX; without AVX's, SSE; without any, no XSAVE."""
    cpu = next(cpu for cpu in REAL if cpu.name == "SapphireRapids_05")
    for xcr0, state in ((0x602E7, 0xE7), (0x60207, 7), (0x203, 3), (0, 0)):
        shown = _show(replay, "host", cpu, xcr0)
        assert shown.get(0xD)[EAX] == state
        _check_state(shown)
