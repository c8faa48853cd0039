# SPDX-License-Identifier: Apache-2.0
"""The payloads: each behaviour of programs that must be the same in a VM.

`python3 -m tests.km.payloads build DIR` compiles all of them; compare.py runs them.
"""

import sys
from collections.abc import Iterable
from pathlib import Path

from .payload import ALL, HELD, ITSELF, SMALL, STATIC, Payload, build


def _each(words: Iterable[str]) -> tuple[tuple[str, ...], ...]:
    """Make one run for each string, which is split into its arguments."""
    return tuple(tuple(word.split()) for word in words)


def _with_and_without(words: Iterable[str], last: str) -> tuple[tuple[str, ...], ...]:
    return _each(f"{word} {end}" for word in words for end in ("", last))


STOP_SIGNALS = range(19, 23)
"""SIGSTOP SIGTSTP SIGTTIN SIGTTOU: they would stop, not end."""

ENDING_SIGNALS = [str(signo) for signo in range(1, 65) if signo not in STOP_SIGNALS]

PROCESS = (
    Payload("hello", ALL),
    Payload("arguments", ALL, ((), ("a", "", "b c", "\udcff\u00fc"), ("x" * 100_000,) * 3)),
    Payload("auxv", ALL),
    Payload("own_file", ALL),
    Payload("exit_status", runs=_each(str(n) for n in (*range(256), 256, 1000, -1))),
    Payload("exit_ways", ALL, _each(["", "exit", "quick", "thread", "abort"])),
    Payload("die_by_signal", runs=_with_and_without(ENDING_SIGNALS, "thread")),
    Payload("static_data", STATIC),
    Payload("executable_stack", STATIC),
    Payload("stack_to_run", source="executable_stack", flags=("-z", "execstack")),
    Payload("process_facts", STATIC),
    Payload("proc_numbers", runs=_each(["", "user", "root"]), flags=("-pthread",)),
    Payload("identity", STATIC),
    Payload("kernel_name", ALL, judge=ITSELF),
)

FILES = (
    Payload("file_io", STATIC),
    Payload("file_names", STATIC),
    Payload("file_kinds"),
    Payload("open_threaded"),
    Payload("waiting_openings", flags=("-pthread",)),
    Payload("directory", STATIC),
    Payload("resolve"),
    Payload("positions", STATIC),
    Payload("descriptors", STATIC),
    Payload("no_descriptor", ("musl", "dynamic")),
    Payload("pipe", runs=_each(["", "ignored"])),
    Payload("poll", STATIC),
    Payload("file_lock"),
    Payload("lock_kept"),
    Payload("special_files"),
    Payload("watched_files"),
    Payload("fixed_offsets"),
    Payload("standard_input", STATIC, stdin=b"line one\nline two\n" * 5000),
    Payload("socket_tcp"),
    Payload("socket_udp"),
    Payload("socket_unix"),
    Payload("socket_message"),
    Payload("interfaces", ("musl", "glibc")),
    Payload("terminal"),
    Payload("aio"),
)

COMPUTING = (
    Payload("which_cpu", ("musl", "glibc")),
    Payload("clocks", STATIC),
    Payload("vsyscall"),
    Payload("floating_point", ALL, flags=("-lm",)),
    Payload("vectors", STATIC),
    Payload("thread_local", ALL),
    Payload("fpu_state", STATIC),
    Payload("syscall_registers"),
)

MEMORY = (
    Payload("map_anonymous"),
    Payload("map_split"),
    Payload("map_file"),
    Payload("map_fixed"),
    Payload("map_errors"),
    Payload("protect"),
    Payload("generated_code"),
    Payload("remap"),
    Payload("program_break"),
    Payload("memory_advice"),
    Payload("memory_use", ("glibc",), _each(["stacks", "heaps", "lone", "freed"])),
    Payload("file_pages"),
    Payload("changed_beside", runs=_each(["rights", "back", "again", "move", "cut"])),
    Payload("grows_down"),
    Payload("every_page", ("musl", "dynamic")),
    Payload("shared_segment", STATIC),
    Payload("newer_calls", ("glibc",)),
    Payload("sparse_memory"),
    Payload("scattered_memory"),
    Payload("many_mappings"),
    Payload("random_maps"),
    Payload("touch_gigabyte", needs_mib=2048),
    Payload("stack", STATIC, _each(["", "overflow", "caught"])),
    Payload(
        "limits",
        runs=_each(
            [
                "file",
                "file-ignored",
                "memory",
                "no-memory",
                "full-space",
                "full-data",
                "core",
                "descriptors",
                "processor",
            ]
        ),
    ),
)

ACCESSES = (
    "sealed read", "sealed write", "constant write", "constant run", "data run", "behind-file read",
    "behind-file write", "0 read", "8 write", "0x123456789008 read", "0x123456789008 write",
    "0x123456789000 run", "0x4000000000000000 read", "0x4000000000000000 run",
    "0x7e0000000000 read", "0x7d0000000000 write",
)  # fmt: skip
EXCEPTIONS = (
    "divide", "sse", "x87", "undefined", "breakpoint", "int1", "int1-after-steps", "overflow", "halt", "interrupt",
    "trap-flag", "trap-flag-cleared", "alignment", "alignment-sse", "stack",
)  # fmt: skip

SIGNALS = (
    Payload("page_fault", runs=_with_and_without(ACCESSES, "handled")),
    Payload("cpu_fault", runs=_with_and_without(EXCEPTIONS, "handled")),
    Payload("signal_actions", STATIC),
    Payload("signal_info"),
    Payload("signal_mask", STATIC),
    Payload("fault_signals", ("musl", "dynamic"), flags=("-pthread",)),
    Payload(
        "guest_mask",
        runs=_each(["calls", "pending", "killed", "killed-at-once", "routed", "ticks"]),
    ),
    Payload("signal_nested"),
    Payload("signal_stack", STATIC),
    Payload("signal_restart"),
    Payload("restarted_waits", ("musl", "dynamic"), flags=("-pthread",)),
    Payload("signal_context"),
    Payload("signal_registers"),
    Payload("signal_at_fault", STATIC),
    Payload("timer_signals", STATIC),
)

HELPED = (
    "", "signals", "restarting", "awaited", "fork", "vfork", "threads", "changing", "limited",
    "no-thread", "facts", "one-cpu", "exec", "names", "ready", "beside",
)  # fmt: skip

HELPED_WAITS = ("pipes", "signals", "sockets", "events", "polls", "memory")

HELPED_SELF = (
    "positions", "links", "signals", "limits", "leases", "amounts", "terminals", "numbers", "stacks",
)  # fmt: skip

SITES = (
    "registers", "middle", "probes", "steps", "signals", "processes", "threads", "segment", "filtered",
    "written", "written-beside", "mapped", "beside", "exec",
)  # fmt: skip

THREADS = (
    Payload("futex"),
    Payload("threads", ALL, _each(["", "300"])),
    Payload(
        "thread_end",
        STATIC,
        _each(
            [
                "",
                "first-ends",
                "all-end",
                "exit-by-other",
                "crash",
                "killed",
                "cancel",
                "last-call",
            ]
        ),
    ),
    Payload("thread_churn"),
    Payload("watched", ("glibc", "dynamic"), flags=("-pthread",)),
    Payload("thread_signals", STATIC),
    Payload("snapshot", STATIC, _each(["memory", "threads", "signals", "descriptors", "server"])),
    Payload("thread_memory"),
    Payload("robust_mutex", STATIC),
    Payload("robust_thread", STATIC, _each(["several", "seen", "ended", "killed", "forked"])),
    Payload("fork", ALL),
    Payload("fork_memory"),
    Payload("fork_from_thread", STATIC),
    Payload("vfork", STATIC),
    Payload("vfork_folder"),
    Payload("vfork_beside_signals", STATIC),
    Payload("exec_beside_stops"),
    Payload("exec", ALL),
    Payload("spawn", STATIC),
    Payload("job_control"),
    Payload("stopped_at_birth", STATIC),
    Payload("sleeps_in_call", ("musl", "dynamic")),
    Payload("killed_at_birth", ("musl", "dynamic")),
    Payload("helped", runs=_each(HELPED)),
    Payload("helped_waits", ("musl", "dynamic"), _each(HELPED_WAITS), flags=("-pthread",)),
    Payload("helped_self", runs=_each(HELPED_SELF)),
    Payload("helped_shapes", runs=_each(["", "user"])),
    Payload(
        "helped_kinds",
        ("musl", "dynamic"),
        _each(["close", "dup2", "dup3", "range", "copy", "vfork"]),
    ),
    Payload("unshared", flags=("-pthread",)),
    Payload(
        "unwind", ("glibc", "dynamic"), flags=("-fexceptions", "-fnon-call-exceptions", "-O1")
    ),
    Payload("sites", ("musl", "dynamic"), runs=_each(SITES), flags=("-pthread",)),
)

PRIVILEGED = (
    "hlt", "cli", "sti", "in", "insb", "outsb", "clts", "invd", "wbinvd", "rdmsr", "wrmsr",
    "rdpmc", "mov-from-cr0", "mov-to-cr3", "mov-from-dr7", "lgdt", "lidt", "lldt", "ltr", "invlpg",
    "swapgs", "vmrun", "xsetbv", "sysret", "mov-ss", "lock-nop",
    "vmload", "vmsave", "stgi", "clgi", "skinit", "invlpga", "invpcid", "pconfig", "xsaves",
    "xrstors", "getsec", "encls", "monitor", "mwait", "clac", "stac", "rsm", "ud0", "ud1",
    "ud2", "rdtscp", "xgetbv", "xgetbv-of-none", "lmsw", "mov-from-cr8",
    "wbnoinvd", "senduipi", "uiret", "push-es", "into", "aam", "far-call", "far-jump",
    "undefined-0f", "llwpcb",
)  # fmt: skip
"""What each CPU answers at once, by its own kind: that there is no such instruction, or a refusal."""

KERNELS_AFFAIRS = (
    "vmmcall", "vmlaunch", "vmresume", "vmxoff", "vmread", "vmwrite", "vmptrld", "vmclear",
    "vmxon", "invept", "invvpid", "vmfunc", "enclu", "tdcall", "sgdt", "sidt", "sldt", "str", "smsw", "tpause",
    "setssbsy", "pvalidate", "rdpru", "sysenter", "release-tiles", "wrmsrns", "enqcmd",
)  # fmt: skip
"""What a host's kernel or hypervisor decides, or KVM's emulator takes for another instruction."""

RING_CHANGES = ("sysexit", "iret-to-ring-0", "far-return", "far-return-to-tss")
"""What is not the same natively on each CPU: AMD's has no SYSEXIT, an emulated one fails at more."""

EDGES = ("0", "0x4000000000000000", "0x8000000000000000", "0xffffffffffffffff")
"""Addresses that no program has: of nothing, not canonical, of the kernel."""

MONITOR = ("0x7d0000000000", "0x7d1000000000", "0x7d2000000000", "0x7d3000000000")
"""Where the monitor has memory of its own: base.h."""

MONITOR_IMAGE = ("0x7e0000000000", "0x7e0000001000")

STUBS = [f"{0x7D0000000000 + page * 4096 + at:#x}" for page in range(8) for at in (0, 1, 2)]
"""The first pages of what the guest's CPU reads, the stubs among them."""

NOWHERE = (*EDGES, *MONITOR_IMAGE)

FORGERIES = (
    *(f"cs {selector}" for selector in ("0", "0x8", "0x10", "0x30", "0x38", "0xffff")),
    *(f"ss {selector}" for selector in ("0x8", "0x18", "0x10", "0xffff")),
    *(f"flags {1 << bit:#x}" for bit in (12, 13, 14, 15, 16, 17, 19, 20, 21, 22)),
    *(f"{what} {place}" for what in ("rip", "rsp", "fpu") for place in NOWHERE),
    "xstate", "reserved", "size",
)  # fmt: skip

ATTACKS = (
    "vmcall",
    *(f"out {port}" for port in (*range(0x80), 0x3F8, 0xCF8, 0xFFFF)),
    *(f"int {vector}" for vector in range(256)),
    *(f"jump {place}" for place in (*STUBS, *MONITOR, *NOWHERE)),
)

STARVED_SOON = (0, 1, 2, 3, 4, 8, 9, 10, 12)
"""Limits of which 65,536 is little: bytes, mostly; the others would have to be raised."""

BOMBS = (
    "threads", "mappings", "address-space", "data", "timers", "signals", "pipes", "events",
    "rights", "processes",
)  # fmt: skip

HOSTILE = (
    Payload("bad_pointers"),
    Payload("bad_lengths"),
    Payload("nested_pointers", judge=ITSELF),
    Payload("double_fetch", judge=ITSELF),
    Payload("bad_counts", judge=HELD),
    Payload("absurd_counts", judge=HELD),
    Payload("other_monitor", judge=ITSELF),
    Payload("resource_bomb", runs=_each(BOMBS), judge=HELD),
    Payload("starved", runs=_each(f"{limit} 0" for limit in range(16)), judge=HELD),
    Payload(
        "starved_soon",
        runs=_each(f"{limit} 65536" for limit in STARVED_SOON),
        source="starved",
        judge=HELD,
    ),
    Payload("signal_storm", judge=HELD),
    Payload("signal_everybody"),
    Payload("unknown_calls"),
    Payload("monitor_descriptors"),
    Payload("hidden_paths"),
    Payload("own_memory_file", judge=ITSELF),
    Payload("open_race", runs=_each(["refused", "swapped", "replaced", "vcpu"]), judge=ITSELF),
    Payload(
        "proc_race",
        runs=_each(["", "vfork", "vfork-fork", "false", "without", "inside"]),
        judge=ITSELF,
    ),
    Payload("monitor_memory", judge=ITSELF),
    Payload("table_places", STATIC, judge=ITSELF),
    Payload("monitor_file", judge=ITSELF),
    Payload("hunter", runs=_each(["4 5"]), judge=ITSELF),
    Payload(
        "hunt", runs=_each(f"{seed} 20" for seed in range(1, 4)), source="hunter", judge=ITSELF
    ),
    Payload("replaced_numbers", runs=_each(["read", "open", "empty", "execute"]), judge=ITSELF),
    Payload("refused_calls", judge=ITSELF),
    Payload("refused_settings", judge=ITSELF),
    Payload("remembered_pointers", runs=_with_and_without(NOWHERE, "use")),
    Payload("privileged_code", runs=_each(PRIVILEGED), source="hostile_code"),
    Payload("ring_changes", runs=_each(RING_CHANGES), source="hostile_code"),
    Payload("hostile_code", runs=_each((*ATTACKS, *RING_CHANGES, *KERNELS_AFFAIRS)), judge=HELD),
    Payload(
        "hostile_stack",
        runs=_each(f"{at} {how}" for at in NOWHERE for how in ("", "here", "elsewhere")),
    ),
    Payload("forged_sigreturn", runs=_each(FORGERIES)),
    Payload("forged_mxcsr", runs=_each(["mxcsr"]), source="forged_sigreturn"),
    Payload("stray_sigreturn", runs=_each(["", *NOWHERE])),
    Payload(
        "canonical_edge",
        runs=_each(["0x6ffefffff000", "0x6fff00000000", "0x7fffffffe000", "0x7ffffffff000"]),
        judge=HELD,
    ),
    Payload("bad_bases", runs=_each(NOWHERE)),
    Payload("own_segments"),
    Payload("wide_commands", judge=ITSELF),
    Payload("socket_pointers", judge=ITSELF),
    Payload("false_proc", judge=ITSELF),
    Payload("proc_roots", judge=ITSELF),
    Payload("root_left", runs=(), judge=ITSELF),
    Payload("proc_paths", judge=ITSELF),
    Payload("copy_race", judge=ITSELF),
    Payload("copy_helped"),
    Payload("false_fault", runs=_each(["", "handled", "blocked"])),
    Payload("exec_race", judge=ITSELF),
    Payload("stale_numbers", judge=ITSELF),
    Payload("children_apart", runs=_each(["exec", "fork", "vfork"]), judge=ITSELF),
    Payload("few_descriptors", judge=ITSELF),
    Payload("vfork_robust", judge=ITSELF),
    Payload("vfork_kinds", judge=ITSELF),
    Payload("personality", judge=ITSELF),
    Payload("hostile_helper", judge=ITSELF),
    Payload("filtered_helper", judge=ITSELF, flags=("-pthread",)),
    Payload(
        "filtered_mask",
        ("musl", "dynamic"),
        runs=((), ("others",)),
        judge=ITSELF,
        flags=("-pthread",),
    ),
    Payload("terminal_takeover", judge=ITSELF),
    Payload("monitor_heap", STATIC, judge=ITSELF),
    Payload("filtered_exec"),
    Payload("memory_offsets", judge=ITSELF),
    Payload("random_calls", runs=_each(["1 3000", "2 3000", "3 3000"]), judge=HELD),
    Payload("vector_restore", runs=_each(["", "misaligned", "mxcsr", "header"])),
)

CALL_KINDS = (
    "clone",
    "exec",
    "memory",
    "stretches",
    "commands",
    "vectors",
    "sockets",
    "settings",
    "signals",
)

ANSWERS = (
    Payload("call_errors", ("glibc",), _each(CALL_KINDS)),
    Payload("poisoned", runs=_each(["file"])),
    Payload("text_busy"),
    Payload("copy_errors"),
    Payload("killed_child"),
    Payload("adopted"),
    Payload("core_status"),
)

FILTERS = (
    Payload(
        "filters",
        SMALL,
        _each(
            (
                "errors", "arguments", "arithmetic", "refusals", "trap", "trap-blocked",
                "kill-process", "unknown-action", "strict", "strict-exit", "kill-thread", "threads",
                "processes", "status",
            )
        ),
        flags=("-pthread",),
    ),
)  # fmt: skip

PAYLOADS = (
    *PROCESS,
    *FILES,
    *COMPUTING,
    *MEMORY,
    *SIGNALS,
    *THREADS,
    *FILTERS,
    *ANSWERS,
    *HOSTILE,
)


def find(name: str) -> Payload:
    """Return the payload of this name."""
    return next(payload for payload in PAYLOADS if payload.name == name)


def build_all(outdir: Path) -> None:
    """Compile every payload in each of its builds."""
    outdir.mkdir(parents=True, exist_ok=True)
    for payload in PAYLOADS:
        for how in payload.builds:
            print(build(payload, how, outdir))


if __name__ == "__main__":
    if sys.argv[1:-1] != ["build"]:
        sys.exit(
            "payloads: no folder was named.\nTo fix: run `python3 -m tests.km.payloads build DIR`."
        )
    build_all(Path(sys.argv[2]))
