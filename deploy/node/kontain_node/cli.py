# SPDX-License-Identifier: Apache-2.0
"""Run the verb that a container of deploy/kubernetes names: its one argument.

install, rollback, undo
    on the node, privileged and without a token;
report, leave, forget (decided is the probe of report)
    at the API server, with a token and no right on the node;
proof (proved is its probe)
    in a pod of the RuntimeClass.
"""

from __future__ import annotations

import signal
import sys
from typing import Callable, Dict

from .errors import NodeError


def _verbs() -> Dict[str, Callable[[], int]]:
    from . import cluster, farewell, jobs, node, proof, status  # noqa: PLC0415  a signal's handler comes first

    return {
        "install": node.install,
        "rollback": jobs.rollback,
        "undo": jobs.undo,
        "report": cluster.report,
        "decided": status.decided,
        "leave": farewell.leave,
        "forget": farewell.forget,
        "proof": proof.prove,
        "proved": proof.proved,
    }


def main() -> int:
    """Run it and return the exit status."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    verbs = _verbs()
    if len(sys.argv) != 2 or sys.argv[1] not in verbs:  # noqa: PLR2004  the name and the verb
        print(
            f"kontain-node: wrong usage: found {sys.argv[1:]}, wanted one verb.", file=sys.stderr
        )
        print(f"To fix: give one of {', '.join(verbs)}.", file=sys.stderr)
        return 2
    try:
        return verbs[sys.argv[1]]()
    except NodeError as error:
        print(f"kontain-node: {error}", file=sys.stderr)
        return 1
