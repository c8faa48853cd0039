# SPDX-License-Identifier: Apache-2.0
"""krun as the runtime of real engines: podman and docker, each over runc and over crun."""

from __future__ import annotations

from pathlib import Path

import pytest

from .engines import IMAGE, Engine
from .support import BUSYBOX, FOREVER, IN_A_VM

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


def test_container_runs_in_a_vm(engine: Engine) -> None:
    """A container's program sees the kernel of a VM, and its output is the container's."""
    done = engine.container("run", "--rm", IMAGE, "uname", "-r")

    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr
    assert done.returncode == 0


@pytest.mark.parametrize(
    ("args", "status", "words"),
    [
        (["sh", "-c", "exit 7"], 7, ""),
        (["nope"], 127, "executable file not found in $PATH"),
        (["/nope"], 127, "no such file or directory"),
        (["/plain"], 126, "permission denied"),
        (["/bin"], 126, "permission denied"),
        (["/script", "x"], 5, ""),
    ],
)
def test_status_is_that_of_runc(engine: Engine, args: list[str], status: int, words: str) -> None:
    """A container that runs, or cannot run, ends as under runc, with runc's words for it."""
    ours = engine.container("run", "--rm", IMAGE, *args)
    theirs = engine.container("run", "--rm", IMAGE, *args, runtime="runc")

    assert ours.returncode == theirs.returncode == status, ours.stderr
    assert words in ours.stderr
    if args != ["/bin"] or "is a directory" not in theirs.stderr:  # a newer runc's words for it
        assert words in theirs.stderr
    assert ours.stdout == theirs.stdout


def test_exec_runs_in_a_vm(engine: Engine) -> None:
    """A program that is started in a running container runs in a VM, with its own status."""
    name = engine.container("run", "-d", IMAGE, "sleep", FOREVER).stdout.strip()
    bare = engine.container("run", "-d", IMAGE, "sleep", FOREVER, runtime="runc").stdout.strip()

    assert engine("exec", name, "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")
    assert engine("exec", "-e", "A=b", name, "sh", "-c", "echo $A").stdout == "b\n"
    for args in (["/script", "x"], ["sh", "-c", "exit 9"], ["nope"], ["/plain"]):
        ours = engine("exec", name, *args)
        theirs = engine("exec", bare, *args, runtime="runc")
        assert ours.returncode == theirs.returncode, ours.stderr
        assert ours.stdout == theirs.stdout or "krun: " in ours.stdout + ours.stderr
    engine("rm", "--force", name)
    engine("rm", "--force", bare)


def test_detached_container(engine: Engine) -> None:
    """Logs, kill and wait work, and the status tells the signal."""
    name = engine.container("run", "-d", IMAGE, "sh", "-c", "echo out; exec sleep 1000")
    assert name.returncode == 0, name.stderr
    container = name.stdout.strip()

    engine("kill", container)
    assert engine("wait", container).stdout == "137\n"
    again = engine.container("run", "-d", IMAGE, "echo", "out").stdout.strip()
    engine("wait", again)
    assert engine("logs", again).stdout == "out\n"
    assert engine("rm", container, again).returncode == 0


@pytest.mark.parametrize(
    "options",
    [
        ["--init"],
        ["--read-only"],
        ["--user=1000", "--cap-drop=all", "--security-opt=no-new-privileges"],
        ["--tmpfs=/tmp:exec"],
        ["--memory=64m"],
        ["--workdir=/bin"],
    ],
    ids=lambda options: options[0],
)
def test_ordinary_options(engine: Engine, options: list[str]) -> None:
    """Usual requests for a container hold in a VM."""
    done = engine.container("run", "--rm", *options, IMAGE, "uname", "-r")

    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


def test_volume(engine: Engine, tmp_path: Path) -> None:
    """A volume is the host's folder, and a program on it runs in a VM too."""
    (tmp_path / "tool").write_bytes(BUSYBOX.read_bytes())
    (tmp_path / "tool").chmod(0o755)

    volume = f"--volume={tmp_path}:/v"
    done = engine.container("run", "--rm", volume, IMAGE, "sh", "-c", "echo hello > /v/file")
    assert (tmp_path / "file").read_text() == "hello\n", done.stderr
    (tmp_path / "uname").symlink_to("tool")
    done = engine.container("run", "--rm", volume, IMAGE, "/v/uname", "-r")
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


def test_container_leaves_its_image_alone(engine: Engine) -> None:
    """Files of km's are on the container's own /dev, so none of them is in a diff."""
    name = engine.container("run", "-d", IMAGE, "true").stdout.strip()
    bare = engine.container("run", "-d", IMAGE, "true", runtime="runc").stdout.strip()
    engine("wait", name)
    engine("wait", bare)

    assert engine("diff", name).stdout == engine("diff", bare, runtime="runc").stdout
    engine("rm", name, bare)


@pytest.mark.parametrize(
    ("option", "words"),
    [
        ("--privileged", "krun: cannot keep the container in its VM: it is privileged"),
        ("--cap-add=SYS_ADMIN", "krun: cannot keep the container in its VM: it is privileged"),
        ("--volume=/dev:/dev", "krun: cannot put km into the container"),
    ],
)
def test_what_would_undo_it_is_refused(engine: Engine, option: str, words: str) -> None:
    """A container that could leave its VM is not created, and the engine shows why."""
    done = engine.container("run", "--rm", option, IMAGE, "true")

    assert words in done.stderr
    assert "To fix: " in done.stderr
    assert done.returncode in (125, 126)
