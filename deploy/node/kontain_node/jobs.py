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
_GONE = "this node is what it was before Kontain"


def rollback() -> int:
    """Make the version before the node's again, and prove it."""
    with engine.alone():
        done = engine.installed()("rollback")
    if done.returncode:
        return _tell(engine.reason(done), done.returncode)
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
