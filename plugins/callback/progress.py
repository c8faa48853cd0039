# SPDX-License-Identifier: Apache-2.0
"""Ansible callback: one line for each role that ran, and no more than two for what failed."""

from __future__ import annotations

DOCUMENTATION = r"""
name: progress
type: stdout
short_description: One line for each step, saying what changed
version_added: 0.1.0
description:
  - Prints one line when a role is through, such as C([7/9] docker: register the runtime kontain).
  - Prints the two lines of a failure, with what to do, and nothing of Ansible around them.
  - Meant for one host, as in install.sh; lines of several hosts name the host.
author:
  - Kontain platform contributors (@kontainapp)
extends_documentation_fragment:
  - default_callback
options:
  progress_file:
    description: A file that gets the outcome as one JSON object, with C(changed), C(changes) and C(failures).
    type: path
    env:
      - name: KONTAIN_PROGRESS_FILE
"""

import json
from pathlib import Path
from typing import Any

from ansible import constants  # type: ignore[import-untyped]  # Ansible has no types
from ansible.plugins.callback import CallbackBase  # type: ignore[import-untyped]

UNCHANGED = "nothing to do"
SKIPPED = "left out"
OTHERS_FIX = "To fix: remove the cause that it names, then run this again."


class CallbackModule(CallbackBase):  # type: ignore[misc]  # Ansible has no types
    """Prints the progress of a play by its roles."""

    CALLBACK_VERSION = 2.0
    CALLBACK_TYPE = "stdout"
    CALLBACK_NAME = "kontain.platform.progress"

    def __init__(self) -> None:
        """Start before the first play."""
        super().__init__()
        self._steps: list[str] = []
        self._names: dict[str, str] = {}  # of tasks; only when a task starts is its name templated
        self._step = ""
        self._seen: list[str] = []  # what changed in this step
        self._ran = False  # a task of this step
        self._changes: list[str] = []
        self._failures: list[str] = []

    def v2_playbook_on_play_start(self, play: Any) -> None:
        """Learn the steps: the roles that the play names, in the order that they run."""
        self._steps = [_short(role.get_name()) for role in play.get_roles()]

    def v2_playbook_on_task_start(self, task: Any, is_conditional: bool) -> None:
        """End the step before when the next role begins.

        What a role depends on or includes is not a step of its own.
        """
        self._names[task._uuid] = str(task.get_name()).rsplit(" : ", 1)[-1]
        role = _short(task._role.get_name()) if task._role else ""
        if role in self._steps and role != self._step:
            self._end_step()
            self._step = role

    def v2_runner_on_ok(self, result: Any) -> None:
        """Note that a task ran, and what it changed."""
        self._ran = True
        if result._result.get("changed"):
            self._note(result)

    def v2_runner_on_failed(self, result: Any, ignore_errors: bool = False) -> None:
        """Print a failure in the task's own words."""
        if not ignore_errors:
            self._fail(result)

    def v2_runner_on_unreachable(self, result: Any) -> None:
        """Print that a host cannot be reached."""
        self._fail(result)

    def v2_on_file_diff(self, result: Any) -> None:
        """Print the difference that a task made or would make, with --diff."""
        if result._result.get("diff") and result._result.get("changed"):
            text = self._get_diff(result._result["diff"])
            if text:
                self._display.display(text)

    def v2_playbook_on_stats(self, stats: Any) -> None:
        """End the last step, and say so when there was nothing to do at all."""
        self._end_step()
        if not self._changes and not self._failures:
            self._display.display("nothing changed")
        self._write_outcome()

    def _note(self, result: Any) -> None:
        task = self._names[result._task._uuid]
        self._seen.append(_host(result) + task[:1].lower() + task[1:])

    def _fail(self, result: Any) -> None:
        said = (
            result._result.get("msg") or result._result.get("module_stderr") or "it said nothing"
        )
        message = f"{_host(result)}{said}".rstrip()
        if "To fix:" not in message:  # not one of ours
            task = self._names[result._task._uuid]
            message = f"{self._step}: cannot {task}: {message}\n{OTHERS_FIX}"
        self._failures.append(message)
        self._end_step(outcome="failed")
        self._display.display(message, color=constants.COLOR_ERROR, stderr=True)

    def _end_step(self, outcome: str = "") -> None:
        if not self._step:
            return
        outcome = outcome or (UNCHANGED if self._ran else SKIPPED)
        count = f"[{self._steps.index(self._step) + 1}/{len(self._steps)}]"
        self._display.display(f"{count} {self._step}: {', '.join(self._seen) or outcome}")
        self._changes += [f"{self._step}: {seen}" for seen in self._seen]
        self._seen, self._ran = [], False
        self._step = ""

    def _write_outcome(self) -> None:
        place = self.get_option("progress_file")
        if place:
            outcome = {
                "changed": bool(self._changes),
                "changes": self._changes,
                "failures": self._failures,
            }
            Path(place).write_text(json.dumps(outcome) + "\n", encoding="utf-8")


def _short(role: str) -> str:
    """Return a role's name without its collection's."""
    return role.rsplit(".", 1)[-1]


def _host(result: Any) -> str:
    """Return the host's name to stand before a text; this host is not named."""
    name = result._host.get_name()
    return "" if name == "localhost" else f"{name}: "
