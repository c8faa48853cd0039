# SPDX-License-Identifier: Apache-2.0
"""Hooks and labels of a configuration do over krun what they do over its backend alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from .support import ID, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

STAGES = ("prestart", "createRuntime", "createContainer", "poststart", "poststop")
# A hook writes what it was given: its stage, arguments and environment, whether it begins in the
# bundle, and the state.
HOOK = 'echo "$0 $* $A ${B-none} $(ls config.json 2>&1)"; cat'


def hook(path: Path, stage: str, **members: object) -> dict[str, object]:
    """Return a hook that adds to PATH what it was given."""
    args = ["sh", "-c", f"{{ {HOOK}; }} >> {path}", stage, "an argument"]
    return {"path": "/bin/sh", "args": args, "env": ["A=1 2"], **members}


def told(path: Path) -> list[Any]:
    """Return what hooks wrote, the states without what differs from one container to the next."""
    found: list[Any] = []
    text = path.read_text() if path.exists() else ""
    decoder = json.JSONDecoder()
    while text:
        line, _, text = text.partition("\n")
        state, end = decoder.raw_decode(text)
        text = text[end:].lstrip()
        state["pid"] = state.get("pid", 0) > 0
        for own in ("bundle", "root"):  # over runc the bundle is one of krun's
            state.pop(own, None)
        found.append((line, {**state, "id": "c"}))
    return found


def both(
    krun: Runtime, bundle: BundleFolder, written: Path, *args: str
) -> list[tuple[int, str, list[Any]]]:
    """Return status, output and what hooks wrote, of the backend alone and over krun."""
    path = bundle.args(*args)
    results = []
    for run, name in ((krun.bare, f"{ID}-bare"), (krun, ID)):
        written.unlink(missing_ok=True)
        done = run("run", "-b", path, name)
        results.append((done.returncode, done.stdout, told(written)))
    return results


def test_hooks_of_all_stages(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """Each runs once, at its time, with its arguments and environment and the container's state."""
    written = tmp_path / "told"
    bundle.doc["hooks"] = {stage: [hook(written, stage)] for stage in STAGES}
    bundle.doc["annotations"] = {"org.example.key": "value"}
    krun.set_policy({"annotations": ["org.example.key"]})
    bare, ours = both(krun, bundle, written, "echo", "ran")
    assert ours == bare
    assert [line.split()[0] for line, *_ in bare[2]] == list(STAGES)


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("how", ["fails", "takes too long", "is not there"])
def test_hook_that_fails(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path, stage: str, how: str
) -> None:
    """The container starts, or does not, as over the backend, and hooks of other stages still run."""
    written = tmp_path / "told"
    bad = {
        "fails": {"path": "/bin/sh", "args": ["sh", "-c", "cat >/dev/null; exit 3"]},
        "takes too long": {"path": "/bin/sleep", "args": ["sleep", "20"], "timeout": 1},
        "is not there": {"path": "/no/such/program"},
    }[how]
    hooks = {other: [hook(written, other)] for other in STAGES}
    bundle.doc["hooks"] = {**hooks, stage: [bad, hook(written, stage)]}
    bare, ours = both(krun, bundle, written, "echo", "ran")
    assert ours == bare


LABELS = {
    "AppArmor": {"process": {"apparmorProfile": "a-profile"}},
    "no AppArmor": {"process": {"apparmorProfile": "unconfined"}},
    "SELinux": {"process": {"selinuxLabel": "system_u:system_r:container_t:s0:c1,c2"}},
    "SELinux of files": {"linux": {"mountLabel": "system_u:object_r:container_file_t:s0:c1,c2"}},
}


@pytest.mark.parametrize("what", LABELS)
def test_labels_on_a_host_without_them(krun: Runtime, bundle: BundleFolder, what: str) -> None:
    """The backend decides on a profile or a label that the host does not know."""
    for part, members in LABELS[what].items():
        bundle.doc[part].update(members)
    path = bundle.args(
        "sh", "-c", "echo ran; cat /proc/self/attr/current 2>&1 | head -c 99; exit 7"
    )
    bare = krun.bare("run", "-b", path, f"{ID}-bare")
    ours = krun("run", "-b", path, ID)
    assert (ours.returncode, ours.stdout) == (bare.returncode, bare.stdout), ours.stderr
    assert (bare.returncode == 7) == bare.stdout.startswith("ran\n")
    if bare.returncode != 7:
        assert bare.stderr.splitlines()[-1].rpartition(":")[2] in ours.stderr
