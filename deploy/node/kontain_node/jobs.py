# SPDX-License-Identifier: Apache-2.0
"""The operator's Jobs: roll a version back, or uninstall all."""

from __future__ import annotations

import os
import time

from . import engine, status
from .status import GONE, INSTALLED, Status

_IN_USE = 7
_LOOK_S = 5
_MESSAGE = "/dev/termination-log"
_ROLLED_BACK = "run/kontain-rolled-back"
"""A file of the node's, which has the Job by which the node was rolled back."""
_GONE = "this node is what it was before Kontain"


def rollback() -> int:
    """Return the node to its previous version, and prove that.

    A second rollback would undo the first, and a Job may bring two pods to one node: when its first
    one has ended, nothing keeps the scheduler from it. So each node notes the Job, until it boots.
    """
    job, note = os.environ["KONTAIN_JOB"], engine.NODE / _ROLLED_BACK
    with engine.alone():
        if not (note.exists() and note.read_text(encoding="ascii") == job):
            done = engine.installed()("rollback")
            if done.returncode:
                return _tell(engine.reason(done), done.returncode)
            note.write_text(job, encoding="ascii")
    verified = engine.installed()("verify")
    return _tell(f"this node has {engine.current_version()} again", verified.returncode)


def undo() -> int:
    """Make the node what it was before Kontain, and leave the outcome for the other container.

    While pods run by it, wait for as long as KONTAIN_WAIT says (seconds, by default 0); then refuse
    and name them.
    """
    words = _undo()
    version = engine.current_version()
    if version:
        status.write(Status(INSTALLED, version, words))
        return _tell(words, 1)
    (engine.NODE / _ROLLED_BACK).unlink(missing_ok=True)
    status.write(Status(GONE, words=_GONE))
    return _tell(words or _GONE, 0)


def _undo() -> str:
    """Return why the node was not undone."""
    if not engine.current_version():
        return ""
    end = time.monotonic() + float(os.environ.get("KONTAIN_WAIT", "0"))
    with engine.laid_out() as kontain:
        done = kontain("uninstall", "--yes")
        while done.returncode == _IN_USE and time.monotonic() < end:
            time.sleep(_LOOK_S)
            done = kontain("uninstall", "--yes")
    return engine.reason(done) if done.returncode else ""


def _tell(words: str, exit_status: int) -> int:
    """Put the outcome where `kubectl describe pod` shows it."""
    print(words, flush=True)
    with open(_MESSAGE, "w", encoding="utf-8") as file:  # noqa: PTH123  a file that is there
        file.write(words[:4096])  # as much as Kubernetes keeps
    return exit_status
