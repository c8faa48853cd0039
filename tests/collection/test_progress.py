# SPDX-License-Identifier: Apache-2.0
"""The callback kontain.platform.progress: a person's view of a run of Ansible."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path

import pytest

TASKS = {
    "quiet": "- name: Look\n  ansible.builtin.debug:\n    msg: unseen\n",
    "busy": "- name: Make it so\n  ansible.builtin.debug:\n    msg: unseen\n  changed_when: true\n",
    "left": "- name: Look\n  ansible.builtin.debug:\n    msg: unseen\n  when: false\n",
    "ours": "- name: Try\n  ansible.builtin.fail:\n    msg: |-\n      x: y.\n      To fix: z.\n",
    "theirs": "- name: Try\n  ansible.builtin.fail:\n    msg: not so\n",
}


@pytest.fixture
def play(tmp_path: Path, ansible_environment: dict[str, str]) -> Play:
    """Runs a play of roles out of TASKS."""
    for name, tasks in TASKS.items():
        folder = tmp_path / "roles" / name / "tasks"
        folder.mkdir(parents=True)
        (folder / "main.yml").write_text(f"---\n{tasks}", encoding="utf-8")
    return Play(tmp_path, ansible_environment)


class Play:
    """A folder with roles, and the environment to run them in."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        """Choose the callback."""
        self.folder = folder
        self.outcome = folder / "outcome.json"
        self.environment = environment | {
            "ANSIBLE_STDOUT_CALLBACK": "kontain.platform.progress",
            "KONTAIN_PROGRESS_FILE": str(self.outcome),
        }

    def run(self, *roles: str) -> subprocess.CompletedProcess[str]:
        """Run the roles on this host."""
        book = self.folder / "play.yml"
        names = ", ".join(roles)
        book.write_text(
            f"- hosts: localhost\n  gather_facts: false\n  roles: [{names}]\n", encoding="utf-8"
        )
        return subprocess.run(
            ["ansible-playbook", book],
            env=self.environment,
            check=False,
            capture_output=True,
            text=True,
        )


def test_each_role_is_one_line(play: Play) -> None:
    """Every role has a line with its number and what it changed, and nothing else is printed."""
    said = play.run("quiet", "busy")

    assert (said.returncode, said.stderr) == (0, "")
    assert said.stdout == "[1/2] quiet: nothing to do\n[2/2] busy: make it so\n"
    assert json.loads(play.outcome.read_text(encoding="utf-8")) == {
        "changed": True,
        "changes": ["busy: make it so"],
        "failures": [],
    }


def test_a_role_of_which_nothing_ran_is_left_out(play: Play) -> None:
    """An engine that nobody asked for differs from one that was right already."""
    assert play.run("left", "quiet").stdout == (
        "[1/2] left: left out\n[2/2] quiet: nothing to do\nnothing changed\n"
    )


def test_nothing_changed_is_said(play: Play) -> None:
    """A run that changed nothing says so at its end."""
    assert play.run("quiet").stdout == "[1/1] quiet: nothing to do\nnothing changed\n"


def test_our_errors_are_two_lines(play: Play) -> None:
    """An error in our form is printed as it is, on standard error, and ends the run."""
    said = play.run("ours", "busy")

    assert said.returncode == 2
    assert said.stdout == "[1/2] ours: failed\n"
    assert said.stderr.splitlines()[-2:] == ["x: y.", "To fix: z."]
    assert json.loads(play.outcome.read_text(encoding="utf-8"))["failures"] == [
        "x: y.\nTo fix: z."
    ]


def test_other_errors_get_our_form(play: Play) -> None:
    """An error of another module gets the step, the task, and what to do."""
    lines = play.run("theirs").stderr.splitlines()

    assert lines[-2].startswith("theirs: cannot Try: ")
    assert "not so" in lines[-2]
    assert lines[-1].startswith("To fix: ")


def test_names_are_those_that_a_person_reads(play: Play) -> None:
    """A task whose name has a variable in it is named with the variable's value."""
    (play.folder / "roles/busy/tasks/main.yml").write_text(
        "- name: Install {{ 'crun' }}\n  ansible.builtin.debug:\n  changed_when: true\n",
        encoding="utf-8",
    )

    assert play.run("busy").stdout == "[1/1] busy: install crun\n"
