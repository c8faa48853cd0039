# SPDX-License-Identifier: Apache-2.0
"""km's reports of a payload that it runs: the trace, the counts and the core."""

import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from .refusal import FAILED, assert_refused, run

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

ET_CORE = 4


def _call(line: str, text: str) -> bool:
    return bool(re.search(rf"^{line}$", text, flags=re.MULTILINE))


@pytest.fixture
def hello(build: Callable[..., Path]) -> Path:
    """A payload that writes one line to standard output and one to standard error."""
    return build("hello")


def test_trace_shows_each_call(km: Path, hello: Path) -> None:
    """The trace on standard error names calls, arguments and results."""
    done = run([km, "--trace", hello])
    assert done.stdout == "hello, world\n"
    assert _call(r"writev\(1, .*hello, world.*\) = 13", done.stderr)
    assert _call(r"exit_group\(0\) = \?", done.stderr)


def test_trace_shows_only_what_is_named(km: Path, hello: Path) -> None:
    """--trace=CALL shows these calls and no others; a call that does not exist is an error."""
    done = run([km, "--trace=exit_group", hello])
    assert _call(r"exit_group\(0\) = \?", done.stderr)
    assert "writev" not in done.stderr
    assert_refused(run([km, "--trace=no_such_call", hello]), FAILED, "'no_such_call'")


def test_trace_goes_to_a_file(km: Path, hello: Path, tmp_path: Path) -> None:
    """With -o the trace leaves the payload's standard error alone."""
    trace = tmp_path / "trace"
    assert run([km, "--trace", "-o", trace, hello]).stderr == "hello, error\n"
    assert _call(r"exit_group\(0\) = \?", trace.read_text(encoding="utf-8"))


def test_trace_goes_to_a_descriptor(km: Path, build: Callable[..., Path], tmp_path: Path) -> None:
    """With --report-fd the trace goes to a descriptor, which the payload does not see."""
    trace = tmp_path / "trace"
    with trace.open("w") as file:
        fd = file.fileno()
        done = run(
            [km, "--trace=getpid", "--report-fd", fd, build("monitor_descriptors")], pass_fds=[fd]
        )
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert _call(r"(\[pid \d+\] )?getpid\(\) = \d+", trace.read_text(encoding="utf-8"))


def test_trace_to_nowhere_is_refused(km: Path, hello: Path) -> None:
    """A trace that cannot be written is an error before the payload runs."""
    done = run([km, "--trace", "-o", "/no/such/folder/trace", hello])
    assert_refused(done, FAILED, "/no/such/folder/trace")


def test_stats_count_calls_and_errors(km: Path, hello: Path, tmp_path: Path) -> None:
    """--stats counts each system call and its errors when the payload ends."""
    counts = tmp_path / "counts"
    done = run([km, "--stats", "-o", counts, hello])
    text = counts.read_text(encoding="utf-8")
    assert done.stderr == "hello, error\n"
    assert _call(r" +2 +0 .* writev", text)
    assert _call(r" +1 +1 .* ioctl", text)
    assert _call(r" +1 +0 .* exit_group", text)


def test_core_is_written_when_asked_for(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """--coredump writes a core of the payload, with its stack and its registers, for gdb."""
    payload = build("exit_ways", "glibc")  # which has what gdb needs to unwind
    done = run([km, f"--coredump={tmp_path}/core.%p", payload, "abort"])
    (core,) = tmp_path.glob("core.*")
    assert done.returncode == -6
    assert int.from_bytes(core.read_bytes()[16:18], "little") == ET_CORE
    assert core.stat().st_mode & 0o077 == 0
    if shutil.which("gdb"):
        assert "main (" in run(["gdb", "-q", "-batch", "-ex", "bt", payload, core]).stdout


def test_no_core_is_written_unless_asked_for(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Neither the payload's nor the monitor's memory is left behind where the limit is 0."""
    run(["sh", "-c", 'ulimit -S -c 0; exec "$@"', "sh", km, build("exit_ways"), "abort"],
        cwd=tmp_path)  # fmt: skip
    assert not list(tmp_path.iterdir())
