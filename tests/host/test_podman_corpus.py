# SPDX-License-Identifier: Apache-2.0
"""A real podman finds ours and all of theirs, whatever its files are, and has them back exactly."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kontain_host import engines
from kontain_host.engines import podman_view
from kontain_host.errors import HostError
from kontain_host.host import Host
from kontain_host.transaction import perform
from kontain_host.uninstall import withdraw

from .small_host import PYTHON_PATH, snapshot

RUNC = "/usr/sbin/runc"
FOLDER = Path("/etc/containers")
MINE = f'mine = ["{RUNC}"]\n'
GOOD: dict[str, dict[str, str]] = {
    "none": {},
    "empty": {"containers.conf": ""},
    "a table": {"containers.conf": f'[engine]\nruntime = "mine"\n[engine.runtimes]\n{MINE}'},
    "an inline table": {
        "containers.conf": f'[engine]\nruntimes = {{ mine = ["{RUNC}"] }}\nruntime = "mine"\n'
    },
    "CRLF and a comment with a bracket": {
        "containers.conf": '[engine]\r\nruntime = "mine"\r\n[engine.runtimes]\r\nmine = [\r\n'
        f'  "{RUNC}", # a ] bracket\r\n]\r\n'
    },
    "lists over lines with comments": {
        "containers.conf": '[engine]\nruntime_supports_json = ["crun", "runc",\n # "old", [x]\n'
        f' "mine"]\nruntime_supports_nocgroups=["mine"]\n[engine.runtimes]\n{MINE}'
    },
    "drop-in files before and after": {
        "containers.conf.d/10-mine.conf": f"[engine.runtimes]\n{MINE}",
        "containers.conf.d/zz-mine.conf": '[engine]\nruntime = "mine"\n',
        "containers.conf.d/README": "no configuration [",
    },
}
BROKEN = {
    "a string without its end": (
        f'[engine]\nruntime = "mine\n[engine.runtimes]\n{MINE}',
        'line 2 (last key "engine.runtime"): strings cannot contain newlines',
    ),
    "a string among the runtimes": (
        f'[engine.runtimes]\n{MINE}events_logger = "file"\n',
        'line 3 (last key "engine.runtimes.events_logger"): incompatible types',
    ),
}


def put(files: dict[str, str]) -> None:
    """Give podman these files."""
    for path, text in files.items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(text.encode())


def register() -> None:
    """Register runc as kontain."""
    wish = engines.Registration(path=RUNC)
    perform(Host(), "p", lambda report: engines.plan(Host(), "podman", report, wish))


def judge(name: str) -> None:
    """Register and unregister with the files of one case; runs in a sandbox."""
    shutil.rmtree("/etc/cni", ignore_errors=True)  # where a podman that is asked leaves a file
    put(GOOD[name])
    names = ["mine"] if "mine" in str(GOOD[name]) else []
    before = snapshot(Path("/etc"))
    theirs = [podman_view._ask(Host(), one) for one in [None, *names]]
    register()
    assert podman_view._ask(Host(), "kontain")[0] == RUNC
    assert [podman_view._ask(Host(), one) for one in [None, *names]] == theirs
    withdraw(Host(), "podman")
    assert snapshot(Path("/etc")) == before


def refuse(name: str) -> None:
    """Register with a broken file; runs in a sandbox."""
    text, wanted = BROKEN[name]
    put({"containers.conf": text})
    before = snapshot(FOLDER)
    with pytest.raises(HostError, match=re.escape(wanted)):
        register()
    assert snapshot(FOLDER) == before


@pytest.mark.needs_root
@pytest.mark.parametrize("name", [*GOOD, *BROKEN])
def test_nothing_of_theirs_is_lost(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], name: str
) -> None:
    """Their runtimes are found as before; a broken file is reported in podman's words."""
    if not (shutil.which("podman") and Path(RUNC).exists()):
        pytest.skip("needs podman and runc: install the packages podman and runc")
    work = "judge" if name in GOOD else "refuse"
    code = f"from tests.host.test_podman_corpus import {work}; {work}({name!r})"
    path = f"PYTHONPATH={PYTHON_PATH['PYTHONPATH']}"
    done = in_sandbox("env", path, "python3", "-c", code)
    assert done.returncode == 0, done.stderr
