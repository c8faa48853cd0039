# SPDX-License-Identifier: Apache-2.0
"""The Ansible module, sent to this host as Ansible does it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kontain_preflight.checks import CHECKS

ROOT = Path(__file__).resolve().parents[2]

# /proc has no free space, so a prefix there fails the check prefix-space and, as far as the
# checks of /dev/kvm are ignored, nothing else on any machine.
PLAYBOOK = """
- hosts: localhost
  connection: local
  gather_facts: false
  vars:
    ignore: {ignored}
  tasks:
    - kontain.platform.preflight:
        ignore: "{{{{ ignore }}}}"
      register: good
    - kontain.platform.preflight:
        ignore: "{{{{ ignore }}}}"
        prefix: /proc/kontain
      register: refused
      ignore_errors: true
    - kontain.platform.preflight:
        ignore: "{{{{ ignore }}}}"
        prefix: /proc/kontain
        fail: false
      register: told
    - kontain.platform.preflight:
        ignore: [nonsense]
      register: unknown
      ignore_errors: true
    - ansible.builtin.copy:
        content: "{{{{ {{'good': good, 'refused': refused, 'told': told, 'unknown': unknown}} | to_json }}}}"
        dest: {answers}
        mode: "0600"
      check_mode: false
"""


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Return what the module answered in a playbook in check mode."""
    place = tmp_path_factory.mktemp("module")
    collections = place / "ansible_collections" / "kontain"
    collections.mkdir(parents=True)
    (collections / "platform").symlink_to(ROOT)
    ignored = [check.id for check in CHECKS if check.id != "prefix-space"]
    text = PLAYBOOK.format(ignored=json.dumps(ignored), answers=place / "answers.json")
    (place / "playbook.yml").write_text(text, encoding="utf-8")
    (place / "ansible.cfg").touch()
    command = [str(Path(sys.executable).parent / "ansible-playbook"), "--check"]
    command += ["-i", "localhost,", "-e", "ansible_python_interpreter=/usr/bin/python3"]
    done = subprocess.run(
        [*command, "playbook.yml"],
        cwd=place,
        env={
            **os.environ,
            "ANSIBLE_COLLECTIONS_PATH": str(place),
            "ANSIBLE_CONFIG": str(place / "ansible.cfg"),
            "ANSIBLE_HOME": str(place / "home"),
        },
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found: dict[str, Any] = json.loads((place / "answers.json").read_text(encoding="utf-8"))
    return found


def test_the_module_returns_the_commands_json(answers: dict[str, Any]) -> None:
    """The results are those of schema 1, nothing is changed, and check mode is supported."""
    good = answers["good"]
    assert (good["schema"], good["changed"], good["exit_status"]) == (1, False, 0)
    assert [result["check"] for result in good["results"]] == [check.id for check in CHECKS]
    assert good["facts"]["kernel"] == os.uname().release
    assert "skipped" not in good


def test_a_failed_check_fails_the_task(answers: dict[str, Any]) -> None:
    """The message has the two lines, and what was found is returned all the same."""
    refused = answers["refused"]
    assert refused["failed"] is True
    assert refused["verdict"] == "refused"
    first, second = refused["msg"].splitlines()
    assert first.startswith("prefix-space: /proc ")
    assert second.startswith("To fix: ")


def test_a_failed_check_may_be_only_told(answers: dict[str, Any]) -> None:
    """With fail: false the verdict is in the answer, and the play continues."""
    told = answers["told"]
    assert told.get("failed", False) is False
    assert told["verdict"] == "refused"


def test_an_unknown_id_is_an_error(answers: dict[str, Any]) -> None:
    """It is not silently ignored."""
    unknown = answers["unknown"]
    assert unknown["failed"] is True
    assert "cannot ignore 'nonsense'" in unknown["msg"]
