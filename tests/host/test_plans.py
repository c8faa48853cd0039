# SPDX-License-Identifier: Apache-2.0
"""`kontain plan` says exactly what `kontain apply` then does, or refuses to do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from kontain_host import install, plans
from kontain_host.errors import DRIFTED, WRONG_USAGE, HostError
from kontain_host.uninstall import uninstall

from .small_host import FILES, BundleMaker, SmallHost, snapshot

CONFIG = '{\n  "debug": true\n}\n'


@pytest.fixture
def docker(host: SmallHost) -> SmallHost:
    """Return a host whose docker has a configuration, and does not run."""
    host.path("/etc/docker").mkdir()
    host.path("/etc/docker/daemon.json").write_text(CONFIG)
    host.add_command("dockerd", 1, "unknown flag")
    return host


def written(plan: dict[str, Any], tmp_path: Path) -> Path:
    """Write a plan down as `kontain plan -o` does."""
    file = tmp_path / "plan.json"
    file.write_text(json.dumps(plan))
    return file


def test_a_plan_changes_nothing_and_is_what_apply_does(
    docker: SmallHost, make_bundle: BundleMaker, tmp_path: Path
) -> None:
    """The steps of the plan are the changes of its application, in the same order."""
    before = snapshot(Path(docker.root))
    plan = plans.make(docker, make_bundle(), ["docker"])
    assert snapshot(Path(docker.root)) == before
    report = plans.apply(docker, plans.read(written(plan, tmp_path)))
    done = [(change["kind"], change["path"]) for change in report.changes]
    assert done == [(step["kind"], step["path"]) for step in plan["steps"]]
    assert '"debug": true' in docker.path("/etc/docker/daemon.json").read_text()
    uninstall(docker)
    assert snapshot(Path(docker.root)) == before


@pytest.mark.parametrize(
    ("path", "content"),
    [
        ("/etc/docker/daemon.json", '{"debug": false}'),
        ("/opt/kontain/versions/0.1.0/x", "somebody's"),
        ("/etc/kontain/krun.json", "{}"),
    ],
)
def test_a_drifted_host_is_refused(
    docker: SmallHost, make_bundle: BundleMaker, path: str, content: str
) -> None:
    """A change of anything that the plan builds on: status 6, the difference, and no change."""
    plan = plans.make(docker, make_bundle(), ["docker"])
    docker.path(path).parent.mkdir(parents=True, exist_ok=True)
    docker.path(path).write_text(content)
    before = snapshot(Path(docker.root))
    with pytest.raises(HostError, match=r"has drifted since it was made: .*/") as caught:
        plans.apply(docker, plan)
    assert caught.value.status == DRIFTED
    assert snapshot(Path(docker.root)) == before


def test_what_the_plan_does_not_touch_may_change(
    docker: SmallHost, make_bundle: BundleMaker
) -> None:
    """A file that has nothing to do with the plan is no drift."""
    plan = plans.make(docker, make_bundle(), ["docker"])
    docker.path("/etc/hostname").write_text("new")
    assert plans.apply(docker, plan).changed


def test_a_plan_is_applied_once(docker: SmallHost, make_bundle: BundleMaker) -> None:
    """After its own application, a plan no longer fits the host."""
    plan = plans.make(docker, make_bundle(), ["docker"])
    plans.apply(docker, plan)
    with pytest.raises(HostError, match="needs no change any more"):
        plans.apply(docker, plan)


def test_an_exchanged_bundle_is_refused(docker: SmallHost, make_bundle: BundleMaker) -> None:
    """Another bundle under the planned name is drift too."""
    plan = plans.make(docker, make_bundle(), ["docker"])
    make_bundle(files={**FILES, "bin/km": b"\x7fELF other"})
    with pytest.raises(HostError, match="is not the bundle that the plan was made with"):
        plans.apply(docker, plan)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "Expecting value"),
        ("[" * 100_000, "recursion"),
        ("[]", "its outermost value is not an object"),
        ("{}", "its 'schema' is None, wanted a JSON int"),
        ('{"schema": 2, "bundle": {}, "engines": [], "steps": []}', "its schema is 2, wanted 1"),
        ('{"schema": 1, "bundle": {}, "engines": [], "steps": []}', "no file and manifest"),
        (
            '{"schema": 1, "bundle": {"file": "x", "manifest": "y"}, "engines": [], "steps": [1]}',
            "no path and kind",
        ),
    ],
)
def test_what_is_no_plan_is_wrong_usage(tmp_path: Path, text: str, why: str) -> None:
    """A file that is no plan is named, with what is wrong in it."""
    file = tmp_path / "plan.json"
    file.write_text(text)
    with pytest.raises(HostError, match=why) as caught:
        plans.read(file)
    assert caught.value.status == WRONG_USAGE


def test_plan_and_install_agree(docker: SmallHost, make_bundle: BundleMaker) -> None:
    """`install --dry-run` and `plan` say the same."""
    bundle = make_bundle()
    dry = install.install(docker, bundle, ["docker"], check=True)
    plan = plans.make(docker, bundle, ["docker"])
    assert [change["path"] for change in dry.changes] == [step["path"] for step in plan["steps"]]
