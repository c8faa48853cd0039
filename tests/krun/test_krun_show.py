# SPDX-License-Identifier: Apache-2.0
"""The verbs by which krun tells what it did: `diff` and `timing`."""

from __future__ import annotations

import json

import pytest

from krun.show import changes

from .support import FOREVER, ID, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


def test_diff_is_what_krun_changed(krun: Runtime, bundle: BundleFolder) -> None:
    """Applying the changes to the bundle's configuration gives the container's."""
    path = bundle.args("sleep", FOREVER)
    assert krun.create("-b", path, ID) == 0

    found = json.loads(krun("diff", "--format", "json", ID).stdout)
    by_path = {change["path"]: change for change in found}
    assert by_path["process.args"]["before"] == ["sleep", FOREVER]
    assert by_path["process.args"]["after"][0] == "/dev/.kontain/km"
    assert by_path["hooks"]["before"] is None
    new = f"mounts[{len(bundle.doc['mounts'])}]"
    assert by_path[new]["after"]["destination"] == "/dev/.kontain/km"
    assert {name.partition("[")[0] for name in by_path} <= {
        "process.args", "root.path", "root.readonly", "mounts", "hooks",
    }  # fmt: skip
    assert all("since" not in change["why"] for change in found)
    text = krun("diff", ID).stdout
    assert f'  - ["sleep","{FOREVER}"]\n  + ["/dev/.kontain/km",' in text


def test_diff_has_what_was_left_out(krun: Runtime, bundle: BundleFolder) -> None:
    """A member that krun does not know did not reach the backend, and a user can see it."""
    bundle.doc["process"]["commandLine"] = "x"
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0

    found = json.loads(krun("diff", "--format", "json", ID).stdout)
    (change,) = (change for change in found if change["path"] == "process.commandLine")
    assert (change["before"], change["after"]) == ("x", None)
    assert change["why"] == "no member that the OCI runtime specification has for Linux"


def test_diff_without_the_bundle(krun: Runtime, bundle: BundleFolder) -> None:
    """When the engine has removed the bundle there is nothing to compare with."""
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0
    (bundle.path / "config.json").unlink()

    assert "config.json: it does not exist" in krun("diff", ID).stderr


def test_timing_tells_each_phase(krun: Runtime, bundle: BundleFolder) -> None:
    """Where the policy asks for it, a create says where its time went."""
    path = bundle.args("sleep", FOREVER)
    assert krun.create("-b", path, "untimed") == 0
    assert "were not timed" in krun("timing", "untimed").stderr
    krun.set_policy({"timing": True})
    assert krun.create("-b", path, ID) == 0

    phases = json.loads(krun("timing", "--format=json", ID).stdout)
    assert list(phases) == [
        "interpreter", "policy and bundle", "payload and configuration", "writing", "backend",
    ]  # fmt: skip
    assert all(0 <= ms < 10_000 for ms in phases.values()), phases
    assert krun("timing", ID).stdout.count(" ms\n") == 5


@pytest.mark.parametrize("verb", ["diff", "timing"])
@pytest.mark.parametrize("words", [[], ["nope"], ["../x"], ["a", "b"]])
def test_container_that_is_not_there(krun: Runtime, verb: str, words: list[str]) -> None:
    """Without one container there is an error, and nothing on standard output."""
    done = krun(verb, *words)

    assert done.returncode == 1
    assert done.stdout == ""
    assert done.stderr.startswith("krun: ")


def test_changes_are_every_difference() -> None:
    """Each place that differs is reported once, for all types."""
    before = {"a": 1, "b": [{"c": 1}, {"d": [1]}], "e": ["x"], "g": {"h": None}}
    after = {"a": 1, "b": [{"c": 2}], "e": ["x", "y"], "f": {}}

    assert changes(before, after) == [
        ("b[0].c", 1, 2),
        ("b[1]", {"d": [1]}, None),
        ("e", ["x"], ["x", "y"]),
        ("g", {"h": None}, None),
        ("f", None, {}),
    ]
