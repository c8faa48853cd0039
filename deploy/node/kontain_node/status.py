# SPDX-License-Identifier: Apache-2.0
"""The report of the container that works on the node to the one that talks to the cluster.

It is a file of a volume that both have, and that only the first may write: `state` is "installing", "installed", "failed" or "gone"; `version`
what the node has; `words` why it failed; `usable` whether pods run by what the node has; `note` what
else an operator should know.
"""

from __future__ import annotations

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Optional

FILE = Path("/status/status.json")
DECIDED = Path("/decided/decided")
"""Of the one that talks to the cluster: is there once this node's pod is Ready: a rollout continues with the next node."""
INSTALLING, INSTALLED, FAILED, GONE = "installing", "installed", "failed", "gone"


@dataclass(frozen=True)
class Status:
    """See above."""

    state: str
    version: str = ""
    words: str = ""
    usable: bool = False
    note: str = ""


def write(status: Status) -> None:
    """Put a status where the other container sees all of it or nothing.

    Should another container get to write there, root still writes through no link of its.
    """
    draft = FILE.with_suffix(".draft")
    draft.unlink(missing_ok=True)
    with draft.open("x", encoding="utf-8") as file:
        json.dump(asdict(status), file)
    os.replace(draft, FILE)  # noqa: PTH105  over what is there


def read() -> Optional[Status]:
    """Return the last status, or None where there is none yet."""
    try:
        return Status(**json.loads(FILE.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None


def decide(*, decided: bool) -> None:
    """Let the pod be Ready or not."""
    if decided:
        DECIDED.touch()
    else:
        DECIDED.unlink(missing_ok=True)


def decided() -> int:
    """Be the probe: 0 once it is decided what this node is."""
    return 0 if DECIDED.exists() else 1
