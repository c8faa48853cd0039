# SPDX-License-Identifier: Apache-2.0
"""Make a node a Kontain node, and watch what it is: the privileged container of the DaemonSet.

It judges the node by a real VM before anything is changed, installs by the journalled engine, which
restarts containerd only when that has not loaded its configuration yet, and proves the result. A
node that fails is left as it was. This container has no token; see status.py.
"""

from __future__ import annotations

import os
import time
from typing import Optional

from . import engine, status
from .engine import Engine
from .outcome import Outcome
from .restarts import restart_distribution
from .status import FAILED, INSTALLED, INSTALLING, Status

_CANNOT_RUN = 3  # kontain check
_AGAIN_S = 60  # a node may be given KVM while it runs
_LOOK_S = 5


def install() -> int:
    """Bring the node to this image's version, say how it went, and look after it; never return.

    A node that failed keeps that status while it is tried again: the same failure is no second event.
    """
    ended = None
    while True:
        if not ended or ended.state != FAILED:
            status.write(Status(INSTALLING, engine.current_version()))
        outcome = Outcome(os.environ["KONTAIN_NODE"])
        ended = _bring(outcome)
        status.write(ended)
        print(outcome.line(ended), flush=True)
        _wait(ended)


def _bring(outcome: Outcome) -> Status:
    with engine.laid_out() as kontain:
        info = kontain.json("info")
        if _was_rolled_back(info.get("version"), info.get("before")):
            note = f"this node was rolled back from {engine.version()}, and stays"
            return _verified(outcome, note)
        refused = _judge(kontain, outcome)
        if refused is None:
            refused = _change(kontain, outcome)
        return refused or _verified(outcome)


def _was_rolled_back(now: Optional[str], before: Optional[str]) -> bool:
    """Return whether an operator went back from the image's version: `before` is where to go back."""
    return now != engine.version() and before == engine.version()


def _judge(kontain: Engine, outcome: Outcome) -> Optional[Status]:
    """Return why this node cannot run VMs, None where it can."""
    words = ("check", "--json", "--facts", "--no-proof", "--km", f"{kontain.release}/bin/km")
    done = outcome.take(kontain(*words))
    return _failed(engine.failures(done)) if done.returncode == _CANNOT_RUN else None


def _change(kontain: Engine, outcome: Outcome) -> Optional[Status]:
    """Install and register; return why that failed, None where it did not."""
    name = os.environ.get("KONTAIN_ENGINE", "containerd")
    words = ["--engines", name, "--restart", "--json"]
    done = outcome.take(kontain("install", *engine.bundle_words(), *words))
    if done.returncode:
        return _failed(engine.reason(done))
    problem = restart_distribution(name)
    return _failed(problem) if problem else None


def _verified(outcome: Outcome, note: str = "") -> Status:
    done = outcome.take(engine.installed()("verify", "--json"))
    if done.returncode:
        return _failed(engine.failures(done))
    return Status(INSTALLED, engine.current_version(), usable=True, note=note)


def _failed(words: str) -> Status:
    """Return a failure; the previous version may continue to serve."""
    has = engine.current_version()
    usable = bool(has) and engine.installed()("verify").returncode == 0
    return Status(FAILED, has, words, usable=usable)


def _wait(ended: Status) -> None:
    """Wait until the node has another version than reported, or until it is time to try again."""
    end = time.monotonic() + _AGAIN_S
    while ended.state == INSTALLED or time.monotonic() < end:
        time.sleep(_LOOK_S)
        if engine.current_version() != ended.version:
            return
