# SPDX-License-Identifier: Apache-2.0
"""A program takes little more of the host's memory in a VM than without."""

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "bench"))

import idle

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

MORE, MORE_KIB = 1.15, 1024
"""The budget: so many times what it takes natively, and so much for the monitor."""

PYTHON = "import asyncio, json, ssl, sqlite3, sys; print('ready', flush=True); sys.stdin.read()"


def resident_kib(command: Sequence["str | Path"]) -> int:
    """The present KiB of the process of a COMMAND that prints a line and waits.

    Pages of files count whether or not another process has them, which differs from run to run.
    """
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        rollup = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
        process.communicate()
    (resident,) = (line.split()[1] for line in rollup.splitlines() if line.startswith("Rss:"))
    return int(resident)


@pytest.mark.parametrize("use", ["stacks", "file", "heaps", "freed"])
def test_memory_is_what_is_used(
    use: str, km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Stacks, files and heaps take what is touched of them, and what is given back is the host's."""
    file = tmp_path / "file"
    file.write_bytes(bytes(16 << 20))
    command: list[str | Path] = [build("memory_use", "glibc"), use]
    if use == "file":
        command.append(file)
    native = resident_kib(command)
    assert resident_kib([km, *command]) <= MORE * native + MORE_KIB


def test_real_program_takes_little_more(km: Path) -> None:
    """Python with some of its modules is within the budget."""
    command = ["/usr/bin/python3", "-Ic", PYTHON]
    native = resident_kib(command)
    assert resident_kib([km, *command]) <= MORE * native + MORE_KIB


@pytest.mark.needs_root
def test_small_mappings_all_over_take_little_of_the_kernel(
    km: Path, build: Callable[..., Path]
) -> None:
    """A hundred mappings that stand alone take less than 100 KiB more each, with KVM's memory for them."""
    if os.geteuid() != 0 or not Path("/sys/fs/cgroup").exists():
        pytest.skip("it makes a control group: run it as root")
    command: list[str | Path] = [build("memory_use", "glibc"), "lone"]
    native = idle.bytes_of_one(command, 1)
    assert idle.bytes_of_one([km, *command], 1) - native <= 100 * (100 << 10)
