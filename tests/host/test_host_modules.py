# SPDX-License-Identifier: Apache-2.0
"""Ansible's modules say and do what the library says and does."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from kontain_host.signature import TRAILER_SIZE

from .small_host import FILES, ROOT, BundleMaker

Ansible = Callable[..., list[dict[str, Any]]]


@pytest.fixture
def ansible(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> Ansible:
    """Return what runs modules one after the other on this system, and gives what each said.

    Each argument is a module's short name and its parameters; `check:` before it means check mode
    with differences, which then are in the answer's `text`. After `!` it is a line for the shell.
    """
    program = Path(sys.executable).parent / "ansible"
    if not program.exists():
        pytest.skip("needs ansible-core: run `make venv`")
    collection = tmp_path / "collections/ansible_collections/kontain/platform"
    collection.parent.mkdir(parents=True)
    collection.symlink_to(ROOT)

    def line(call: str) -> str:
        check = "--check --diff" if call.startswith("check:") else ""
        name, _, parameters = call.replace("check:", "").partition(" ")
        arguments = f"-m kontain.platform.{name} -a '{parameters}' {check}"
        return f"{program} localhost -c local -e ansible_python_interpreter=/usr/bin/python3 {arguments}"

    def run(*calls: str) -> list[dict[str, Any]]:
        lines = [call[1:] if call.startswith("!") else line(call) for call in calls]
        done = in_sandbox(
            "env",
            f"ANSIBLE_COLLECTIONS_PATH={tmp_path}/collections",
            f"ANSIBLE_HOME={tmp_path}/home",
            "ANSIBLE_LOCALHOST_WARNING=false",
            "sh",
            "-c",
            "; echo ----; ".join(lines),
        )
        answers = [text for text in done.stdout.split("----\n") if "=> {" in text]
        if len(answers) != len([call for call in calls if not call.startswith("!")]):
            pytest.fail(done.stdout + done.stderr)
        return [{**json.loads(text[text.index("=> {") + 3 :]), "text": text} for text in answers]

    return run


@pytest.mark.needs_root
@pytest.mark.slow
def test_check_mode_is_honest_and_a_second_run_changes_nothing(
    ansible: Ansible, make_bundle: BundleMaker
) -> None:
    """Check mode names what the run does; the run is idempotent; uninstall takes all of it back."""
    src = f"release src={make_bundle()} key={make_bundle.key}"
    foreseen, done, again, gone, nothing = ansible(
        f"check:{src}", src, src, "uninstall", "uninstall"
    )
    assert foreseen["changed"] is True
    assert done["changed"] is True
    assert foreseen["changes"] == done["changes"]
    assert "+++ after: /opt/kontain/current\n" in foreseen["text"]
    assert "+a link: target versions/0.1.0\n" in foreseen["text"]
    assert (again["changed"], again["changes"]) == (False, [])
    assert (gone["changed"], gone["left"]) == (True, [])
    assert nothing["changed"] is False


@pytest.mark.needs_root
@pytest.mark.slow
def test_engines_are_registered_and_released(ansible: Ansible, make_bundle: BundleMaker) -> None:
    """Docker's file is shown as a difference, written, and taken back; podman's likewise."""
    file = "config_file=/etc/docker/kontain-test.json"
    _, foreseen, made, same, gone, podman, gone_too = ansible(
        f"release src={make_bundle()} key={make_bundle.key}",  # podman wants to see the program
        f"check:engine_runtime engine=docker {file}",
        f"engine_runtime engine=docker {file}",
        f"engine_runtime engine=docker {file}",
        "engine_runtime engine=docker state=absent",
        "engine_runtime engine=podman",
        "engine_runtime engine=podman state=absent",
    )
    assert '+            "path": "/opt/kontain/bin/krun"\n' in foreseen["text"]
    assert foreseen["changes"] == made["changes"]
    assert [item["changed"] for item in (made, same, gone)] == [True, False, True]
    assert [item["changed"] for item in (podman, gone_too)] == [True, True]


@pytest.mark.needs_root
@pytest.mark.slow
def test_a_bundle_that_nobody_vouches_for_is_refused(
    ansible: Ansible, make_bundle: BundleMaker
) -> None:
    """Both modules refuse an unsigned and an older bundle, unless options allow it."""
    older, newer = make_bundle("0.1.0"), make_bundle("0.2.0")
    unsigned = make_bundle("0.3.0")
    unsigned.write_bytes(unsigned.read_bytes()[:-TRAILER_SIZE])
    key = f"key={make_bundle.key}"
    host = "host proof=never ignore=backend,var-space engines=podman"
    refused, fleets, made, old, unkeyed, taken = ansible(
        f"release src={unsigned}",
        f"{host} src={unsigned}",
        f"release src={newer} {key}",
        f"release src={older} {key}",
        f"{host} src={unsigned}",
        f"{host} src={unsigned} unsigned=true",
    )
    for answer in (refused, fleets, unkeyed):
        assert "cannot trust the bundle kontain-0.3.0-x86_64.tar.gz: " in answer["msg"]
    assert made["changed"] is True
    assert "it is the release 0.1.0, and 0.2.0 is installed" in old["msg"]
    assert taken["changed"] is True


@pytest.mark.needs_root
@pytest.mark.slow
def test_failures_have_two_lines(ansible: Ansible, make_bundle: BundleMaker) -> None:
    """A module refuses in the library's words, and changes nothing."""
    bad = make_bundle(files={**FILES, "bin/km": b"other"}, manifest=b"nonsense\n")
    release, user, taken = ansible(
        f"release src={bad} key={make_bundle.key}",
        "kvm policy=group users=nobody-of-that-name",
        '!echo \'{"runtimes": {"kontain": {"path": "/other"}}}\' >/etc/docker/daemon.json',
        "engine_runtime engine=docker config_file=/etc/docker/daemon.json",
    )
    assert release["msg"].startswith("cannot trust the bundle kontain-0.1.0-x86_64.tar.gz: line 1")
    assert "\nTo fix: " in release["msg"]
    assert "there is no such user" in user["msg"]
    assert "path '/other', wanted '/opt/kontain/bin/krun'" in taken["msg"]
