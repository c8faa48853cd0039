# SPDX-License-Identifier: Apache-2.0
"""Count the instructions of km and of what it is measured against, on a machine of Bochs.

Its clock counts them, one a nanosecond, and so do the times that programs of `bench/` print and
the CPU time of a process: no other work on the host changes a figure. It runs in the folder that
has km and these programs, and prints one JSON object: instructions by the name of what took them.
"""

from __future__ import annotations

import json
import os
import subprocess

CALLS = "1000"
STARTS = 5

EXITS = {
    "an exit, bare": ("./floor", "exit", CALLS),
    "an exit by SYSCALL": ("./floor", "call", CALLS),
    "getpriority, native": ("./syscall", CALLS),
    "getpriority, km": ("./km", "./syscall", CALLS),
    "getpid, native": ("./syscall", CALLS, "getpid"),
    "getpid, km": ("./km", "./syscall", CALLS, "getpid"),
}
PROGRAMS = {
    "start of hello, native": ("./hello",),
    "start of a bare VM": ("./floor",),
    "start of hello, km": ("./km", "./hello"),
}


def printed(words: tuple[str, ...]) -> int:
    """Return the number that a program prints."""
    return int(subprocess.run(words, check=True, stdout=subprocess.PIPE).stdout)


def used(words: tuple[str, ...]) -> int:
    """Return the instructions of a process from its exec to its end, in thousands of them exact.

    Those are left out for which it waits, such as the kernel's own threads.
    """
    to_nothing = [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
    child = os.posix_spawn(words[0], words, os.environ, file_actions=to_nothing)
    _, status, usage = os.wait4(child, 0)
    if status:
        raise SystemExit(f"{' '.join(words)} ended with wait status {status:#x}.")
    return round((usage.ru_utime + usage.ru_stime) * 1e9)


def main() -> None:
    """Count and print."""
    counts = {name: printed(words) for name, words in EXITS.items()}
    for name, words in PROGRAMS.items():
        counts[name] = min(used(words) for _ in range(STARTS))
    print(json.dumps(counts))


if __name__ == "__main__":
    main()
