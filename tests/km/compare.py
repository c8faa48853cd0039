# SPDX-License-Identifier: Apache-2.0
"""Run payloads on the host and in a VM, and compare the outcomes.

    python3 -m tests.km.compare KM DIR [NAME...]

runs what `tests.km.payloads build DIR` built, all of it or the payloads of these names, and prints
a line for each build of each payload. The exit status is 1 when one of them differs, or none was there.
"""

import difflib
import hashlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from . import payloads
from .payload import HELD, ITSELF, Payload

TIMEOUT_S = float(os.environ.get("KM_TEST_TIMEOUT_S", "120"))
"""The longest that a payload may take: far more than any needs beside ten others, and the end of one
that hangs."""

BRIEF_BYTES = 200
"""No more of a line or a file is shown."""

FILE_TIME_S = 1_500_000_000
"""What files that a run begins with were last changed; programs show it."""

COMPLAINT = b": not so: "
"""What CHECK of payload.h prints."""

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "HOME": "/nowhere", "LC_ALL": "C", "EMPTY": ""}


@dataclass(frozen=True)
class Outcome:
    """The leftovers of a run."""

    status: str
    """`exit N`, `signal N`, or `no end within N s`."""
    stdout: bytes
    stderr: bytes
    files: dict[str, str] = field(default_factory=dict)
    """Of the working directory: mode, size and content by name."""


def run(
    command: Sequence[str],
    stdin: bytes = b"",
    files: "Mapping[str, bytes] | None" = None,
    timeout_s: float = 0,
) -> Outcome:
    """Run a command with a small environment, in a directory of its own with these files."""
    timeout_s = timeout_s or TIMEOUT_S
    with tempfile.TemporaryDirectory(prefix="payload-") as folder:
        for name, content in (files or {}).items():
            _write(Path(folder, name), content)
        with subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=folder,
            env=ENVIRONMENT,
            start_new_session=True,
        ) as process:
            try:
                stdout, stderr = process.communicate(stdin, timeout_s)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)  # its children too
                stdout, stderr = process.communicate()
                return Outcome(f"no end within {timeout_s:g} s", stdout, stderr)
        status = process.returncode
        word = f"exit {status}" if status >= 0 else f"signal {-status}"
        return Outcome(word, stdout, stderr, dict(_describe(Path(folder))))


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(content)
    os.utime(path, (FILE_TIME_S, FILE_TIME_S))


def _brief(content: bytes) -> str:
    """Return bytes as a text that is short and differs when they differ."""
    if len(content) <= BRIEF_BYTES:
        return repr(content)
    digest = hashlib.sha256(content).hexdigest()
    return f"{content[:BRIEF_BYTES]!r}... {len(content)} bytes, SHA-256 {digest}"


def _describe(folder: Path) -> Iterator[tuple[str, str]]:
    for path in sorted(folder.rglob("*")):
        info = path.lstat()
        content = ""
        if stat.S_ISREG(info.st_mode):
            content = _brief(path.read_bytes())
        elif stat.S_ISLNK(info.st_mode):
            content = str(path.readlink())
        yield str(path.relative_to(folder)), f"{stat.filemode(info.st_mode)} {content}"


def _lines(outcome: Outcome) -> list[str]:
    lines = [outcome.status]
    lines += [f"out: {_brief(line)}" for line in outcome.stdout.splitlines(keepends=True)]
    lines += [f"err: {_brief(line)}" for line in outcome.stderr.splitlines(keepends=True)]
    lines += [f"file {name}: {text}" for name, text in outcome.files.items()]
    return lines


def difference(wanted: Outcome, found: Outcome) -> str:
    """Return how two outcomes differ, as a text; empty when they do not."""
    return "\n".join(
        difflib.unified_diff(_lines(wanted), _lines(found), "wanted", "found", lineterm="", n=1)
    )


def judge(payload: Payload, arguments: Sequence[str], program: Path, km: str) -> str:
    """Run one payload as its judge asks; return what is wrong, empty when nothing is."""
    command = [str(program), *arguments]
    found = run([km, *command], payload.stdin)
    if payload.judge == ITSELF:
        return difference(Outcome("exit 0", b"", b""), found_without_files(found))
    if payload.judge == HELD:
        failed = not found.status.startswith(("exit 0", "signal")) or b"km: " in found.stderr
        return "\n".join(_lines(found)) if failed else ""
    native = run(command, payload.stdin)
    if COMPLAINT in native.stdout:
        return "\n".join(["the native run complains:", *_lines(native)])
    return difference(native, found)


def found_without_files(outcome: Outcome) -> Outcome:
    """Return the outcome as a payload that judges itself is judged: its files do not count."""
    return Outcome(outcome.status, outcome.stdout, outcome.stderr)


def judge_all(payload: Payload, program: Path, km: str) -> str:
    """Run one payload with each of its argument lists; return what is wrong with any of them."""
    wrong = []
    for arguments in payload.runs:
        text = judge(payload, arguments, program, km)
        if text:
            wrong.append(f"{payload.name} {' '.join(arguments)[:200]}\n{text}")
    return "\n".join(wrong)


def available_mib() -> int:
    """Return the memory in MiB that can be had without swapping; proc(5), MemAvailable."""
    lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith("MemAvailable"))) // 1024


def lay_out(folder: Path) -> None:
    """Copy this program below a folder, for a machine that has Python's standard library only."""
    here = Path(__file__).resolve().parent
    root = here.parents[1]
    for name in ("../__init__.py", "__init__.py", "payload.py", "payloads.py", "compare.py"):
        source = (here / name).resolve()
        target = folder / source.relative_to(root)
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, target)


def main(arguments: Sequence[str]) -> int:
    """Compare all that was built, or what was named."""
    if len(arguments) < 2:
        print("compare: it is not said what to compare.", file=sys.stderr)
        print("To fix: run `python3 -m tests.km.compare KM DIR [NAME...]`.", file=sys.stderr)
        return 2
    km, folder, names = arguments[0], Path(arguments[1]).resolve(), arguments[2:]
    compared = different = 0
    for payload in payloads.PAYLOADS:
        for build in payload.builds if not names or payload.name in names else ():
            program = folder / f"{payload.name}.{build}"
            if not program.exists():
                print(f"skipped {program.name}: run `python3 -m tests.km.payloads build {folder}`")
            elif payload.needs_mib > available_mib():
                print(f"skipped {program.name}: it needs {payload.needs_mib} MiB of memory")
            else:
                wrong = judge_all(payload, program, str(Path(km).resolve()))
                print(
                    f"{'not ok' if wrong else 'ok'} {program.name}\n{wrong}".rstrip(), flush=True
                )
                compared, different = compared + 1, different + bool(wrong)
    print(f"{compared} compared, {different} differ")
    return 1 if different or not compared else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
