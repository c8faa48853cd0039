# SPDX-License-Identifier: Apache-2.0
"""The launcher becomes the backend with the words that the Python program would have given it."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .support import KRUN, ROOT, SCRIPT

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

BACKEND = """#!/bin/sh
for word in "$0" "$@"; do printf '%s\\n' "$word"; done
tr '\\0' '\\n' </proc/$$/environ
exit 7
"""
# In a view of the host where both backends only tell how they were called, and so does Python.
VIEW = 'for name in crun runc; do mount --bind "$1" /usr/bin/$name; done; shift; exec "$@"'
FILES = {"of-crun": "status", "of-runc": "state.json", "told": "state.json", "other": "else"}
BEFORE = [
    [],
    ["--root="],
    ["--root"],
    ["--root=ROOT/"],
    ["-root", "ROOT"],
    ["--root", "/x", "--root=ROOT"],
    ["--root=ROOT", "--log", "ROOT/log", "--log-format", "json"],
    ["--root=ROOT", "--log=ROOT/log", "--log-format=text", "--systemd-cgroup"],
    ["--root=ROOT", "--systemd-cgroup=true"],
    ["--root=ROOT", "--debug", "--cgroup-manager=systemd"],
    ["--root=ROOT", "--policy", "/missing", "--log-level=debug"],
    ["--root=ROOT", "--logs", "x"],
    ["--root=ROOT", "--log"],
]
VERBS = [
    ["start", "of-crun"],
    ["start", "of-runc"],
    ["start", "other"],
    ["start", "missing"],
    ["start"],
    ["start", "--help"],
    ["start", "../of-crun"],
    ["start", "of-crun", "more"],
    ["state", "of-runc"],
    ["state", "told"],
    ["kill", "of-runc", "9"],
    ["kill", "--all", "of-crun", "KILL"],
    ["kill", "of-crun", "-a", "TERM"],
    ["kill", "-r", "of-.*", "9"],
    ["delete", "--force", "of-runc"],
    ["delete", "-f", "missing"],
    ["delete", "missing", "--force"],
    ["delete", "missing"],
    ["delete", "-f", "other"],
    ["delete", "-f", ".."],
    ["delete", "-f", "missing", "of-crun"],
    ["delete", "-f", "-r", "missing"],
    ["delete", "--regex", "of-.*"],
    ["pause", "of-runc"],
    ["resume", "--", "of-runc"],
    ["ps", "of-runc"],
    ["update", "--memory=1", "of-runc"],
    ["checkpoint", "of-runc"],
    ["nonsense", "of-runc"],
]


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a folder with the state of containers in `state`, and the program of the backends."""
    for name, file in FILES.items():
        (tmp_path / "state" / name).mkdir(parents=True)
        (tmp_path / "state" / name / file).write_text('{"pid": 1}')
    (tmp_path / "state.bundles" / "told").mkdir(parents=True)
    (tmp_path / "backend").write_text(BACKEND)
    (tmp_path / "backend").chmod(0o755)
    return tmp_path


def call(host: Path, program: Path, words: list[str]) -> tuple[int, str, str]:
    """Call PROGRAM with WORDS on the host; return its status, output and errors."""
    view = ["unshare", "-m", "--propagation", "private", "sh", "-ec", VIEW, "sh", host / "backend"]
    command = [*map(str, view), str(program)]
    command += [word.replace("ROOT", str(host / "state")) for word in words]
    environment = {"HOME": "/", "PYTHONHOME": "/nowhere"}
    ran = subprocess.run(
        command, env=environment, cwd=host, capture_output=True, text=True, check=False
    )  # in a folder of its own, for `--log` takes the next word as a file
    return ran.returncode, ran.stdout, ran.stderr


@pytest.mark.parametrize("verb", VERBS, ids=" ".join)
def test_verbs_come_out_alike(host: Path, verb: list[str]) -> None:
    """Status, errors, and what the backend gets, are the same through the launcher and Python."""
    words = ["--root", "ROOT", *verb]
    assert call(host, KRUN, words) == call(host, SCRIPT, words)


@pytest.mark.parametrize("before", BEFORE, ids=" ".join)
def test_options_come_out_alike(host: Path, before: list[str]) -> None:
    """So they are whatever stands before the verb."""
    for verb in (["delete", "of-crun"], ["kill", "of-runc", "9"], ["state", "told"]):
        assert call(host, KRUN, [*before, *verb]) == call(host, SCRIPT, [*before, *verb])


def test_backend_is_reached_without_python(host: Path) -> None:
    """Engines' questions about an existing container need no Python at all."""
    no_python = 'mount --bind "$0" /usr/bin/python3; exec "$@"'
    program = ["unshare", "-m", "sh", "-ec", no_python, str(host / "backend"), str(KRUN)]
    engine = ["--root", "ROOT", "--log", "/x", "--log-format", "json", "--systemd-cgroup"]
    for verb in (["start", "of-runc"], ["kill", "of-crun", "9"], ["delete", "--force", "of-runc"]):
        words = [word.replace("ROOT", str(host / "state")) for word in [*engine, *verb]]
        status, said, errors = call(host, Path(program[0]), [*program[1:], *words])
        assert (status, errors) == (7, "")
        assert said.splitlines()[1:4] == ["--log=/x", "--log-format=json", "--systemd-cgroup"]


def test_container_that_is_gone_is_deleted_by_force(host: Path) -> None:
    """Engines ask so once more after each end: it is done, without Python and without a backend."""
    no_programs = (
        'for name in python3 crun runc; do mount --bind "$0" /usr/bin/$name; done; exec "$@"'
    )
    program = ["unshare", "-m", "sh", "-ec", no_programs, str(host / "backend"), str(KRUN)]
    root = ["--root", str(host / "state")]
    for words in (["--force", "gone"], ["gone", "-f"]):
        ran = subprocess.run(
            [*program, *root, "delete", *words], capture_output=True, text=True, check=False
        )
        assert (ran.returncode, ran.stdout, ran.stderr) == (0, "", "")


@pytest.mark.parametrize("program", [KRUN, SCRIPT], ids=["launcher", "python"])
def test_what_a_create_left_is_deleted_by_force(host: Path, program: Path) -> None:
    """A folder of krun's own is removed, by the program that made it."""
    left = host / "state.bundles" / "left"
    left.mkdir()
    assert call(host, program, ["--root", "ROOT", "delete", "--force", "left"])[0] == 7
    assert not left.exists()


def without_python(*words: str) -> list[str]:
    """Return the command that runs WORDS where the host has no Python."""
    no_python = 'mount --bind /dev/null /usr/bin/python3; exec "$@"'
    return ["unshare", "-m", "sh", "-ec", no_python, "sh", *words]


def test_without_python_the_fix_is_named(host: Path) -> None:
    """A host that lost its Python hears what to install, with krun's own status."""
    program = without_python(str(KRUN), "create", "c")
    status, said, errors = call(host, Path(program[0]), program[1:])
    assert (status, said) == (125, "")
    assert errors.splitlines()[0].startswith("krun: cannot start /usr/bin/python3: ")
    assert errors.splitlines()[1].startswith("To fix: install the distribution's package python3")


@pytest.mark.parametrize("joined", [True, False])
def test_without_python_engines_are_told_in_their_log(host: Path, *, joined: bool) -> None:
    """Containerd shows a pod's user what is in the log that it named, so the fix is there, too."""
    log = str(host / "log.json")
    options = [f"--log={log}", "--log-format=json"]
    if not joined:
        options = ["--log", log, "--root", "/x", "--systemd-cgroup", "--log-format", "json"]
    program = without_python(str(KRUN), *options, "create", "c")
    _, _, errors = call(host, Path(program[0]), program[1:])
    entry = json.loads(Path(log).read_text())
    assert (entry["level"], entry["msg"]) == ("error", errors.strip())

    program = without_python(str(KRUN), f"--log={log}", "exec", "c", "--log=/nowhere/else")
    call(host, Path(program[0]), program[1:])
    assert 'level=error msg="krun: cannot start' in Path(log).read_text()


def test_own_python_of_a_release_serves_a_host_without_one(host: Path) -> None:
    """Where there is no Python on the host, krun runs by the one that its release brings."""
    release = host / "release"
    for source, place in ((KRUN, "bin/krun"), (SCRIPT, "lib/krun.py")):
        (release / place).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(source, release / place)
    shutil.copytree(ROOT / "krun/src/krun", release / "lib/python/krun")
    (release / "VERSION").write_text("0.1.0\n")
    copy_python(release / "python")
    program = without_python(str(release / "bin/krun"), "--version")
    status, said, errors = call(host, Path(program[0]), program[1:])
    assert (status, errors) == (0, "")
    assert said.startswith("krun version ")


def copy_python(target: Path) -> None:
    """Copy this host's Python to TARGET: the program, its library, and what it is linked with."""
    version = f"python3.{sys.version_info.minor}"
    (target / "bin").mkdir(parents=True)
    shutil.copy("/usr/bin/python3", target / "bin/python3")
    shutil.copytree(f"/usr/lib/{version}", target / "lib" / version, symlinks=True)
    listed = subprocess.run(
        ["ldd", "/usr/bin/python3"], capture_output=True, text=True, check=True
    ).stdout
    for library in set(re.findall(r"(/\S+) \(0x", listed)):
        shutil.copy(library, target / "lib")
