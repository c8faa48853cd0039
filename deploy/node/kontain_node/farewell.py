# SPDX-License-Identifier: Apache-2.0
"""Report a node's uninstallation to the cluster, from the Job's containers with the token."""

from __future__ import annotations

import time

from . import status
from .cluster import NODE_APP, own_node
from .errors import NodeError
from .status import INSTALLED

LEAVING = "leaving"
_LOOK_S = 1


def leave() -> int:
    """Take the label away by which pods come, before the node is undone."""
    node = own_node()
    if node.api.pods(node.namespace, node.name, NODE_APP):
        raise NodeError(
            "cannot uninstall",
            f"the DaemonSet {NODE_APP} would install Kontain on {node.name} again",
            f"run `kubectl -n {node.namespace} delete daemonset {NODE_APP}` first",
        )
    node.label(runtime=None, version=None, state=LEAVING)
    return 0


def forget() -> int:
    """Wait for the container that undoes the node; then tell the cluster its end, or why not."""
    found = status.read()
    while found is None:
        time.sleep(_LOOK_S)
        found = status.read()
    node = own_node()
    if found.state != INSTALLED:
        node.label(state=None)
        node.tell("Normal", "KontainGone", found.words)
        return 0
    node.tell("Warning", "KontainStays", found.words)
    return 1
