# SPDX-License-Identifier: Apache-2.0
"""What a container is limited to leaves krun and km their room, or an error names the limit."""

from __future__ import annotations

import os

import pytest

from .support import IN_A_VM, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

ID = f"limits-{os.getpid()}"


def limit_processes(bundle: BundleFolder, limit: int) -> None:
    """Let the container have LIMIT processes."""
    bundle.doc["linux"].setdefault("resources", {})["pids"] = {"limit": limit}


@pytest.mark.parametrize("limit", [2, 4, 7])
def test_few_processes_are_enough(krun: Runtime, bundle: BundleFolder, limit: int) -> None:
    """A program alone needs two, and what krun does before it needs none of the container's."""
    limit_processes(bundle, limit)
    done = krun("run", "-b", bundle.args("uname", "-r"), ID)
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


@pytest.mark.parametrize("kind", ["cgroup", "user"])
def test_one_process_is_too_few(krun: Runtime, bundle: BundleFolder, kind: str) -> None:
    """Where there is no room for KVM's thread, km says so, and which limits there are, and ends."""
    if kind == "cgroup":
        limit_processes(bundle, 1)
    else:
        bundle.doc["process"]["user"] = {"uid": 54321, "gid": 54321}
        bundle.doc["process"]["capabilities"] = {}
        bundle.doc["process"]["rlimits"] = [{"type": "RLIMIT_NPROC", "hard": 1, "soft": 1}]
    done = krun("run", "-b", bundle.args("uname", "-r"), ID)
    assert done.returncode == 125
    assert "a program in a VM counts as two" in done.stderr
    assert "--pids-limit" in done.stderr


def test_soft_limit_of_processes_leaves_room(krun: Runtime, bundle: BundleFolder) -> None:
    """A user's soft limit does not keep km from making its VM, and is the payload's afterwards."""
    bundle.doc["process"]["user"] = {"uid": 54321, "gid": 54321}
    bundle.doc["process"]["capabilities"] = {}
    bundle.doc["process"]["rlimits"] = [{"type": "RLIMIT_NPROC", "hard": 2, "soft": 1}]
    done = krun("run", "-b", bundle.args("sh", "-c", "ulimit -u; ulimit -Hu"), ID)
    assert done.stdout == "1\n2\n", done.stderr
