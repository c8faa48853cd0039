# SPDX-License-Identifier: Apache-2.0
"""How much of the host's memory programs take that only wait: of their own, and of KVM's for them."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

CGROUP = Path("/sys/fs/cgroup")
SETTLE_S = 1.0  # the kernel counts in batches


def _usage_file(group: Path) -> Path:
    version_1 = group / "memory.usage_in_bytes"
    return version_1 if version_1.exists() else group / "memory.current"


@contextmanager
def group() -> Iterator[Path]:
    """Make a control group of this host's that counts memory, kernel memory too.

    Raises:
        OSError: this user cannot, or no memory controller is there.
    """
    parent = CGROUP / "memory" if (CGROUP / "memory").is_dir() else CGROUP
    made = Path(tempfile.mkdtemp(prefix="kontain-bench-", dir=parent))
    try:
        if not _usage_file(made).exists():
            raise FileNotFoundError(f"{made} counts no memory")
        yield made
    finally:
        made.rmdir()


def settled(group: Path) -> int:
    """Return the bytes that the processes of a GROUP use, after the kernel has counted."""
    time.sleep(SETTLE_S)
    return int(_usage_file(group).read_text())


def _join(own: Path) -> None:
    (own / "cgroup.procs").write_text(str(os.getpid()))


def bytes_of_one(command: Sequence["str | Path"], count: int) -> float:
    """Start so many of a command that prints a line and waits for its input to end; bytes of one.

    Raises:
        OSError: as for a control group.
    """
    with ExitStack() as stack:
        own = stack.enter_context(group())
        started = [
            stack.enter_context(
                subprocess.Popen(
                    command,
                    stdin=subprocess.PIPE,
                    stdout=subprocess.PIPE,
                    preexec_fn=lambda: _join(own),  # noqa: PLW1509 - one thread
                )
            )
            for _ in range(count)
        ]
        for process in started:
            if process.stdout:
                process.stdout.readline()
        used = settled(own)
        for process in started:
            process.communicate()
    return used / count
