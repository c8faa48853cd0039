# SPDX-License-Identifier: Apache-2.0
"""Facts that an ordinary user cannot make up decide what is in use."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from kontain_host import processes, release
from kontain_host.errors import IN_USE, HostError
from kontain_host.uninstall import uninstall

from .small_host import BundleMaker, SmallHost


@contextmanager
def conmon(program: Path, name: str = "web") -> Iterator[int]:
    """Run a program that calls itself a conmon with a container of our runtime."""
    words = ["/usr/bin/conmon", "-c", "30", "-n", name, "-r", "/opt/kontain/bin/krun"]
    code = "import sys, time; print(flush=True); time.sleep(60)"
    command = [words[0], "-c", code, *words[1:]]
    process = subprocess.Popen(command, executable=program, stdout=subprocess.PIPE)
    try:
        assert process.stdout is not None
        process.stdout.readline()
        yield process.pid
    finally:
        process.kill()
        process.communicate()


@pytest.fixture
def real(host: SmallHost, make_bundle: BundleMaker, monkeypatch: pytest.MonkeyPatch) -> SmallHost:
    """Return a host with a release, in whose folder the processes of this test seem to live.

    A test that runs at the same time may have containers: those are not ours.
    """

    def child(pid: int, *_: object) -> bool:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
        return int(stat.rpartition(")")[2].split()[1]) == os.getpid()

    release.install(host, make_bundle())
    monkeypatch.setattr(processes, "same_place", child)
    return host


def test_a_process_that_calls_itself_conmon_is_none(real: SmallHost) -> None:
    """Neither its name nor its arguments keep root from uninstalling."""
    with conmon(Path(sys.executable).resolve()):
        assert uninstall(real).changed


def test_a_copy_that_a_user_brings_is_none(real: SmallHost, tmp_path: Path) -> None:
    """A program of that name in a user's folder, removed after it began, is no conmon either."""
    own = tmp_path / "conmon"
    shutil.copy(Path(sys.executable).resolve(), own)
    if os.geteuid() == 0:
        os.chown(own, 1000, 1000)
    with conmon(own):
        own.unlink()
        assert uninstall(real).changed


def test_the_hosts_conmon_is_one(real: SmallHost) -> None:
    """The program at one of podman's places names a container that is in the way."""
    place = real.path("/usr/bin/conmon")
    shutil.copy(Path(sys.executable).resolve(), place)
    with conmon(place, "a\x1b[2Jb"), pytest.raises(HostError, match=r"podman container a\?\[2Jb"):
        uninstall(real)


@pytest.mark.needs_root
def test_a_conmon_that_was_upgraded_since_is_one(real: SmallHost) -> None:
    """Root's file of that name that is gone from the disk is the conmon of before an upgrade."""
    place = real.path("/usr/bin/conmon")
    shutil.copy(Path(sys.executable).resolve(), place)
    with conmon(place):
        place.unlink()
        with pytest.raises(HostError, match="podman container web"):
            uninstall(real)


def test_pods_of_containerd_are_named(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A node is not uninstalled under its pods: each is named, and those of runc are no matter."""
    release.install(host, make_bundle())
    tasks = host.path("/run/containerd/io.containerd.runtime.v2.task")
    for place, runtime, notes in (
        (
            "k8s.io/1",
            "/opt/kontain/bin/krun",
            {"sandbox-name": "web", "sandbox-namespace": "shop"},
        ),
        (
            "k8s.io/2",
            "/opt/kontain/bin/krun",
            {"sandbox-name": "web", "sandbox-namespace": "shop"},
        ),
        ("default/mine", "/opt/kontain/bin/krun", {}),
        ("k8s.io/3", "runc", {"sandbox-name": "dns", "sandbox-namespace": "kube-system"}),
    ):
        (tasks / place).mkdir(parents=True)
        (tasks / place / "runtime").write_text(runtime)
        named = {f"io.kubernetes.cri.{key}": value for key, value in notes.items()}
        (tasks / place / "config.json").write_text(json.dumps({"annotations": named}))
    with pytest.raises(HostError, match=r"mine, pod shop/web\.\n") as refused:
        uninstall(host)
    assert refused.value.status == IN_USE

    shutil.rmtree(tasks)
    assert uninstall(host).changed
