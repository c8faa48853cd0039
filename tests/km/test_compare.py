# SPDX-License-Identifier: Apache-2.0
"""A difference between a payload's native run and its run in a VM is found, whatever it is."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from . import compare, payloads

TELLTALES = {
    "output": 'tr l L < "$2"',
    "standard error": 'cat "$2"; echo more >&2',
    "status": 'cat "$2"; exit 3',
    "signal": 'cat "$2"; kill -9 $$',
    "a file's name": 'cat "$2"; : > other',
    "nothing": 'cat "$2"',
}


def _monitor(folder: Path, script: str) -> Path:
    """Write a program that is called as km is, and runs a script of the shell instead."""
    path = folder / "monitor"
    path.write_text(f"#!/bin/sh\n{script}\n", encoding="utf-8")
    path.chmod(0o755)
    return path


@pytest.mark.parametrize("what", TELLTALES)
def test_difference_is_found(what: str, tmp_path: Path) -> None:
    """Output, status, signal and files each count; a run that is the same has no difference."""
    text = tmp_path / "text"
    text.write_text("hello\n", encoding="utf-8")
    monitor = _monitor(tmp_path, TELLTALES[what])
    native = compare.run(["cat", str(text)])
    found = compare.difference(native, compare.run([str(monitor), "x", str(text)]))
    assert bool(found) == (what != "nothing")


def test_content_of_a_file_counts() -> None:
    """Two files of one name and size differ by what is in them, however long they are."""
    short, long = (compare.run(["true"], files={"f": b"x" * n}) for n in (1, 5000))
    other = compare.run(["true"], files={"f": b"x" * 4999 + b"y"})
    assert compare.difference(short, long)
    assert compare.difference(long, other)


def test_hanging_payload_is_ended_with_its_children(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """A run that does not end is ended, and so is what it started."""
    pid_file = tmp_path / "pid"
    pid_file.touch()
    for timeout_s in (1, 8, 64):  # until there is a child at the end: not on a busy machine
        monkeypatch.setattr(compare, "TIMEOUT_S", timeout_s)
        outcome = compare.run(["sh", "-c", f"sleep 600 & echo $! > {pid_file}; wait"])
        assert outcome.status.startswith("no end")
        if pid_file.read_text():
            break
    for _ in range(600):  # the signal was sent; on a busy machine the end takes a moment
        if _has_ended(pid_file.read_text().strip()):
            return
        time.sleep(0.05)
    pytest.fail("the child lives on")


def _has_ended(pid: str) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().split()[2] == "Z"
    except (FileNotFoundError, ProcessLookupError):  # whoever adopted it has waited for it
        return True


def test_command_line_says_what_differs(
    build: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """The exit status is 0 when all is the same, 1 when something differs or nothing was built."""
    folder = build("hello").parent
    same, other = (tmp_path / name for name in ("same", "other"))
    same.mkdir()
    other.mkdir()
    assert compare.main([str(_monitor(same, 'exec "$@"')), str(folder), "hello"]) == 0
    assert compare.main([str(_monitor(other, '"$@"; exit 9')), str(folder), "hello"]) == 1
    assert compare.main([str(same / "monitor"), str(tmp_path), "hello"]) == 1
    assert compare.main([]) == 2
    said = capsys.readouterr().out
    assert "ok hello.musl" in said
    assert "+exit 9" in said
    assert "skipped hello.musl" in said


def test_hostile_payload_is_not_run_natively(build: Callable[..., Path], tmp_path: Path) -> None:
    """A payload that judges itself must end well; one that is only held must not fail km."""
    itself, held = payloads.find("kernel_name"), payloads.find("canonical_edge")
    says = _monitor(tmp_path, "echo 'km: it failed.' >&2; exit 125")
    assert compare.judge(itself, [], build(itself.name), str(says))
    assert compare.judge(held, ["0"], build(held.name), str(says))
