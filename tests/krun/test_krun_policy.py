# SPDX-License-Identifier: Apache-2.0
"""The members of the host's policy, and krun's changes by it in a configuration."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from krun import direct, mounts, policy, rewrite
from krun.errors import KrunError
from krun.policy import Policy

SOURCES = Path(policy.__file__).parents[1]
DEV = {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["nosuid"]}


def write(path: Path, doc: object) -> str:
    """Write DOC as a policy and return its path."""
    path.write_text(json.dumps(doc))
    path.chmod(0o644)
    return str(path)


def test_shipped_policy_is_the_default() -> None:
    """The file of a release says what holds without it."""
    shipped = Path(__file__).parents[2] / "krun" / "etc" / "krun.json"

    assert vars(policy.load(str(shipped))) == {**vars(Policy()), "path": str(shipped)}


def test_policy_is_read(tmp_path: Path) -> None:
    """Every member can be set."""
    doc = {
        "annotations": ["a.b", "c.*"],
        "backend": "runc",
        "choices": {"shell": {"direct": {"sh": "/bin/busybox"}}},
        "direct": {"/bin/sh": "/bin/busybox", "sh": "/bin/busybox"},
        "km_options": ["--trace", "-o", "/trace"],
        "log": "/var/log/x",
        "snapshots": "/var/lib/kontain/snapshots",
        "sys_admin": "drop",
        "timing": True,
    }

    path = write(tmp_path / "p", doc)
    assert vars(policy.load(path)) == {**doc, "path": path}


@pytest.mark.parametrize(
    ("doc", "words"),
    [
        (
            {"back": "crun"},
            '"back" is not a member of a policy, which has annotations, backend, choices',
        ),
        ({"backend": "youki"}, "\"backend\" must be one of auto, crun, runc, found 'youki'"),
        ({"backend": ["crun"]}, '"backend" must be one of'),
        ({"snapshots": True}, '"snapshots" must be an absolute path or "", found True'),
        ({"sys_admin": True}, '"sys_admin" must be one of refuse, drop, allow, found True'),
        ({"path": "/x"}, '"path" is not a member of a policy'),
        ({"direct": ["/x"]}, '"direct" must be an object'),
        ({"direct": {"sh": "busybox"}}, '"direct" must be an object'),
        ({"direct": {"/bin/": "/bin/busybox"}}, '"direct" must be an object'),
        ({"direct": {"sh": "/bin/dash", "/bin/sh": "/bin/bash"}}, "without two programs for one"),
        ({"timing": 1}, '"timing" must be true or false, found 1'),
        ({"log": "krun.log"}, '"log" must be an absolute path'),
        ({"choices": {"a": 1}}, '"choices" must be an object of objects'),
        ({"choices": {"a": {"timing": 1}}}, '"choices.a.timing" must be true or false'),
        ({"choices": {"a": {"choices": {}}}}, '"choices.a.choices" is not a member of a policy'),
        ({"annotations": ["a*b"]}, '"annotations" must be a list of names, with * at the end'),
        ({"annotations": [""]}, '"annotations" must be a list of names'),
        ({"annotations": "*"}, '"annotations" must be a list of names'),
        ({"km_options": ["x"]}, '"km_options" must be a list of options of km without --'),
        (
            {"km_options": ["--trace", "--"]},
            '"km_options" must be a list of options of km without --',
        ),
        ({"km_options": ["--trace", 3]}, '"km_options" must be a list of options'),
        ([], "it holds no JSON object"),
    ],
)
def test_wrong_policy_is_refused(tmp_path: Path, doc: object, words: str) -> None:
    """A policy with a mistake allows nothing."""
    with pytest.raises(KrunError) as caught:
        policy.load(write(tmp_path / "p", doc))
    assert words in caught.value.problem


def test_policy_that_others_can_write_is_refused(tmp_path: Path) -> None:
    """A file that is not root's alone is no policy."""
    path = write(tmp_path / "p", {})
    os.chmod(path, 0o646)  # noqa: PTH101, S103 - that is what is refused

    with pytest.raises(KrunError, match="may be written by others"):
        policy.load(path)


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, to be another user")
@pytest.mark.needs_root
def test_policy_that_was_judged_is_the_one_that_is_read(tmp_path: Path) -> None:
    """Another user, who changes where a link leads all the while, has none of his own taken."""
    roots, other, link = (tmp_path / name for name in ("roots", "other", "link"))
    write(roots, {"sys_admin": "refuse"})
    write(other, {"sys_admin": "allow"})
    os.chown(other, 1234, 1234)
    link.symlink_to(roots)
    done = threading.Event()

    def swap() -> None:
        while not done.is_set():
            for target in (other, roots):
                (tmp_path / "new").symlink_to(target)
                (tmp_path / "new").replace(link)

    swapping = threading.Thread(target=swap)
    swapping.start()
    taken, end = set(), time.monotonic() + 2
    while time.monotonic() < end:
        with contextlib.suppress(KrunError):
            taken.add(policy.load(str(link)).sys_admin)
    done.set()
    swapping.join()
    assert taken == {"refuse"}


@pytest.mark.needs_root
@pytest.mark.parametrize("owner", [0, 1234])
def test_pipe_is_no_policy(tmp_path: Path, owner: int) -> None:
    """Root's and another user's are refused at once, though nobody writes to it."""
    os.mkfifo(tmp_path / "pipe", 0o644)
    os.chown(tmp_path / "pipe", owner, owner)
    script = f"from krun import policy; policy.load({str(tmp_path / 'pipe')!r})"
    command = [sys.executable, "-c", script]
    env = {"PYTHONPATH": str(SOURCES)}
    ended = subprocess.run(
        command, env=env, capture_output=True, text=True, timeout=30, check=False
    )
    assert "pipe: found prw-r--r--, wanted a regular file" in ended.stderr


@pytest.mark.parametrize(("owner", "status"), [(0, 0), (1234, 1)])
def test_policy_is_roots_also_in_a_users_namespace(owner: int, status: int) -> None:
    """A rootless engine's krun takes a policy of root's; to krun of root no stranger's is one."""
    with tempfile.TemporaryDirectory() as folder:
        shutil.copytree(SOURCES, f"{folder}/src")
        path = write(Path(folder, "p"), {})
        os.chown(path, owner, owner)
        os.chmod(folder, 0o755)  # noqa: PTH101, S103 - a user reads it
        user = [] if owner else ["setpriv", "--reuid=1234", "--clear-groups"]
        load = f"from krun import policy; policy.load({path!r})"
        done = subprocess.run(
            [*user, "unshare", "--map-root-user", "/usr/bin/python3", "-S", "-c", load],
            env={"PATH": os.environ["PATH"], "PYTHONPATH": f"{folder}/src"},
            check=False,
            capture_output=True,
            text=True,
        )
    assert done.returncode == status, done.stderr
    assert ("may be written by others" in done.stderr) == bool(status)


def test_named_policy_must_exist(tmp_path: Path) -> None:
    """Only the host's own file may be missing."""
    with pytest.raises(KrunError, match="does not exist"):
        policy.load(str(tmp_path / "nope"))


@pytest.mark.parametrize("name", ["bounding", "effective", "ambient"])
def test_sys_admin(name: str) -> None:
    """The capability that can remount is refused, dropped or allowed, as the policy says."""
    process = {
        "args": ["x"],
        "capabilities": {name: ["CAP_SYS_ADMIN", "cap_sys_admin", "CAP_KILL"], "other": 1},
    }
    rules = Policy()

    with pytest.raises(KrunError, match="it is privileged"):
        rewrite.without_sys_admin(process, rules)
    rules.sys_admin = "drop"
    assert rewrite.without_sys_admin(process, rules) == {
        "args": ["x"],
        "capabilities": {name: ["CAP_KILL"], "other": 1},
    }
    rules.sys_admin = "allow"
    assert rewrite.without_sys_admin(process, rules) == process


@pytest.mark.parametrize("kept", ["refuse", "drop", "allow"])
@pytest.mark.parametrize(
    "cap", ["21", "0x15", "025", "cap_sys_admin=ep", "cap_sys_admin,x", "CAP_SYS_ADMIN ", "\nx"]
)
def test_capability_has_a_name(cap: str, kept: str) -> None:
    """A number, or what libcap reads a part of, is refused: crun takes it for a capability."""
    rules = Policy()
    rules.sys_admin = kept
    with pytest.raises(KrunError, match="is not the name of a capability"):
        rewrite.allowed(["CAP_KILL", cap], rules)


def test_every_mount_is_noexec(tmp_path: Path) -> None:
    """No mount keeps `exec`, and what is bound below a volume does not either."""
    given: list[dict[str, Any]] = [
        {"destination": "/a", "options": ["exec", "ro"], "x": 1},
        {"destination": "/b", "type": "bind", "source": "folder", "options": ["rbind"]},
        {"destination": "/f", "type": "bind", "source": "file", "options": ["rbind"]},
        {"destination": "/g", "type": "bind", "source": "folder", "options": ["bind"]},
        {"destination": "/c"},
    ]
    (tmp_path / "folder").mkdir()
    (tmp_path / "file").touch()
    fd = os.open(tmp_path, os.O_PATH)

    made = mounts.restrict(given, fd)
    os.close(fd)
    assert [mount["options"] for mount in made] == [
        ["ro", "noexec"],
        ["rbind", "noexec", "rnoexec"],
        ["rbind", "noexec"],
        ["bind", "noexec", "rnoexec"],
        ["noexec"],
    ]
    assert made[0]["x"] == 1
    assert given[0]["options"] == ["exec", "ro"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ([], "/dev is not an empty tmpfs"),
        ([{"destination": "/dev", "type": "bind", "source": "/dev"}], "/dev is not an empty"),
        ([DEV, {"destination": "/dev/.", "type": "bind", "source": "/dev"}], "/dev is not"),
        ([{**DEV, "options": ["tmpcopyup"]}], "/dev is not an empty tmpfs"),
        ([{**DEV, "options": ["bind"]}], "/dev is not an empty tmpfs"),
        ([{**DEV, "options": ["rbind"]}, DEV], "/dev is not an empty tmpfs"),
        ([DEV, {"destination": "/dev/.kontain", "type": "tmpfs"}], "a mount at /dev/.kontain"),
        ([DEV, {"destination": "dev//./.kontain/km"}], "a mount at /dev/.kontain/km"),
        ([DEV, {"type": "tmpfs"}], "mounts.destination is None"),
        ([DEV, {"destination": 3}], "mounts.destination must be a string, found 3"),
    ],
)
def test_mounts_that_could_hide_km_are_refused(given: list[Any], words: str) -> None:
    """Where km would lie on an image's files, or on the host's /dev, nothing is created."""
    with pytest.raises(KrunError) as caught:
        mounts.check(given)
    assert words in caught.value.problem


def test_annotation_chooses_among_what_the_host_offers(tmp_path: Path) -> None:
    """A name that is offered counts, and any other makes no container."""
    offer = {"choices": {"traced": {"km_options": ["--trace"]}}}
    path = write(tmp_path / "p", {**offer, "annotations": ["app.kontain.policy"]})
    rules = policy.load(path)

    rules.choose({"other": "x"})
    assert rules.km_options == []
    wrong: list[Any] = ["open", "", 3, ["traced"], {}]
    for asked in wrong:
        with pytest.raises(KrunError, match="this host offers traced"):
            rules.choose({"app.kontain.policy": asked})
    rules.choose({"app.kontain.policy": "traced"})
    assert rules.km_options == ["--trace"]


@pytest.mark.parametrize(
    ("program", "words"),
    [
        ("missing", "no such file or directory"),
        ("folder", "it is not root's own executable file"),
        ("writable", "it is not root's own executable file: uid 0, mode 100777"),
        ("text", "it is not a static ELF64 program"),
        ("dynamic", "it is not a static ELF64 program"),
    ],
)
@pytest.mark.needs_root
def test_what_may_not_run_directly(tmp_path: Path, program: str, words: str) -> None:
    """A direct program is root's alone, and static: nothing of an image could be part of it."""
    (tmp_path / "folder").mkdir()
    busybox = Path("/bin/busybox").read_bytes()
    for name, content in (
        ("writable", busybox),
        ("text", b"#!/bin/sh"),
        ("dynamic", Path("/bin/true").read_bytes()),
    ):
        (tmp_path / name).write_bytes(content)
        (tmp_path / name).chmod(0o777 if name == "writable" else 0o755)
    rules = Policy()
    rules.direct = {"sh": str(tmp_path / program)}

    with pytest.raises(KrunError, match=words):
        direct.mounts_of(rules)


@pytest.mark.parametrize("size", [0, 5, 40, 64, 4096])
def test_broken_program_is_not_static(size: int) -> None:
    """Headers that are cut off, or that lie about where they are, are no program's."""
    assert not direct.is_static(b"\x7fELF\x02\x01" + b"\xff" * size)
    assert not direct.is_static((b"\x7fELF\x02\x01" + bytes(size))[:size])
