# SPDX-License-Identifier: Apache-2.0
"""Annotations, which may be an image's, do nothing that the host has not listed."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from krun.policy import ANNOTATION, Policy

from .support import FOREVER, ID, KM, BundleFolder, Runtime

STEERING = {
    "run.oci.hooks.stdout": "{out}",
    "run.oci.hooks.stderr": "{out}",
    "run.oci.handler": "krun",
    "run.oci.seccomp.receiver": "{out}",
    "run.oci.pidfd_receiver": "{out}",
    "org.criu.config": "{out}",
    "org.systemd.property.ExecStopPost": "'touch {out}'",
    "io.containers.trace-syscall": "of:{out}",
    "RUN.OCI.HOOKS.STDOUT": "{out}",
}


@pytest.mark.parametrize("name", [*STEERING, "org.opencontainers.runc.x", "io.kubernetesx", "x"])
def test_what_is_not_listed_is_left_out(name: str) -> None:
    """Annotations that steer a backend or a hook, and unknown ones, go no further."""
    kept = {"io.kubernetes.cri.container-name": "a", "io.container.manager": "libpod"}

    assert Policy().handed_on({**kept, name: "x"}) == kept


def test_host_lists_what_it_wants() -> None:
    """The list of the policy takes the default's place."""
    rules = Policy()
    rules.annotations = ["run.oci.keep_original_groups", "a.*"]
    given = {"run.oci.keep_original_groups": "1", "run.oci.handler": "x", "a.b": "", "a": ""}

    assert list(rules.handed_on(given)) == ["run.oci.keep_original_groups", "a.b"]
    rules.annotations = []
    assert rules.handed_on(given) == {}


@pytest.mark.needs_root
@pytest.mark.needs_kvm
def test_annotation_writes_no_file_of_the_host(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path
) -> None:
    """An image's label makes no file for a hook's output, and `state` shows those that passed."""
    out = tmp_path / "owned"
    bundle.doc["annotations"] = {
        **{name: value.format(out=out) for name, value in STEERING.items()},
        "io.container.manager": "libpod",
    }
    # It reads its input: crun ends by SIGPIPE where a hook is gone before it has written the state.
    hook = {"path": "/bin/sh", "args": ["sh", "-c", "cat && echo hostile"]}
    bundle.doc["hooks"] = {"poststart": [hook]}
    assert krun.create("-b", bundle.args("sleep", FOREVER), ID) == 0
    assert krun("start", ID).returncode == 0

    assert krun.state(ID)["annotations"] == {"io.container.manager": "libpod"}
    found = json.loads(krun("diff", "--format", "json", ID).stdout)
    left_out = {change["path"] for change in found if "does not list it" in change["why"]}
    assert left_out == {f"annotations.{name}" for name in STEERING}
    assert not out.exists()


@pytest.mark.needs_root
@pytest.mark.needs_kvm
def test_container_chooses_a_km_that_leaves_its_code_alone(
    krun: Runtime, bundle: BundleFolder, payloads: Path
) -> None:
    """A container whose annotation chooses `--no-patch` finds its code as it was, call after call."""
    shutil.copy(payloads / "own_code", bundle.rootfs / "bin" / "own_code")
    policy = {"choices": {"checked": {"km_options": ["--no-patch"]}}}
    krun.set_policy({**policy, "annotations": [ANNOTATION]})
    probe = subprocess.run([KM, "--probe"], capture_output=True, text=True, check=True).stdout
    changed = 3 if "kind=software" in probe else 0

    assert krun("run", "-b", bundle.args("own_code"), ID).returncode == changed
    bundle.doc["annotations"] = {ANNOTATION: "checked"}
    assert krun("run", "-b", bundle.args("own_code"), ID).returncode == 0
