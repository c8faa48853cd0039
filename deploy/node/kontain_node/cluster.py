# SPDX-License-Identifier: Apache-2.0
"""Tell the cluster what a node is: the container with the token, which has no right on the node.

A node gets the label that pods are scheduled by when its own checks were good, the kubelet is Ready,
knows the handler (Kubernetes 1.30 and newer say so), and a pod of the handler has run there in a VM.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import datetime, timezone
from typing import Any, Dict, List, Optional

from . import status
from .api import Api, ApiError
from .status import FAILED, INSTALLED, Status

RUNTIME = "kontain.app/runtime"
STATE = "kontain.app/state"
VERSION = "kontain.app/version"
TAINT = "kontain.app/not-ready"
HANDLER = "kontain"
PROOF, NODE_APP = "kontain-proof", "kontain-node"

INSTALLING, PROVING, READY = "installing", "proving", "ready"
_LOOK_S = 2
_PATIENCE_S = 300
_EVENTS = "default"  # where `kubectl describe node` and events of nodes are
_LONGEST = 1000  # characters of an event's message: Kubernetes takes 1024


class Node:
    """This pod's node, as the cluster knows it."""

    def __init__(
        self, api: Api, name: str, namespace: str, patience_s: float = _PATIENCE_S
    ) -> None:
        """Take the node NAME; its Kontain's own pods are in NAMESPACE."""
        self.api, self.name, self.namespace = api, name, namespace
        self.patience_s = patience_s

    def label(self, **labels: Optional[str]) -> None:
        """Set labels by the constants' names; None takes one away."""
        names = {"runtime": RUNTIME, "state": STATE, "version": VERSION}
        values = {names[key]: value for key, value in labels.items()}
        self.api.change_node(self.name, {"metadata": {"labels": values}})

    def tell(self, kind: str, reason: str, words: str) -> None:
        """Make an event that `kubectl describe node` shows: KIND is Normal or Warning."""
        now = datetime.now(timezone.utc)
        stamp = now.strftime("%Y-%m-%dT%H:%M:%SZ")
        name = f"{self.name}.{now.strftime('%Y%m%d%H%M%S%f')}"
        about = {"kind": "Node", "name": self.name, "uid": self.name, "apiVersion": "v1"}
        self.api.tell({
            "apiVersion": "v1",
            "kind": "Event",
            "metadata": {"name": name, "namespace": _EVENTS},
            "involvedObject": about,
            "type": kind,
            "reason": reason,
            "message": words[:_LONGEST],
            "source": {"component": NODE_APP, "host": self.name},
            "firstTimestamp": stamp,
            "lastTimestamp": stamp,
            "count": 1,
        })  # fmt: skip

    def follow(self, found: Status) -> bool:
        """Tell the cluster what the node's own container found, and prove what it installed.

        Return whether a rollout may go on to the next node. It may after a node that cannot run VMs,
        which has no version and gets none; not after one whose upgrade failed.
        """
        if found.state == INSTALLED:
            return self._prove(found)
        if found.state == FAILED:
            self._give_up("KontainFailed", found.words, usable=found.usable)
            return not found.version
        self.label(state=INSTALLING)
        return False

    def _prove(self, found: Status) -> bool:
        self.label(state=INSTALLING)
        problem = (
            self._await("the node to be Ready", lambda: is_ready(self._look()))
            or self._await(
                f"the kubelet to list the handler {HANDLER}", lambda: knows_handler(self._look())
            )
            or self._await("an older proof to go", lambda: not self._proofs())
        )
        if not problem:
            self.label(state=PROVING)
            problem = self._await("a pod in a VM", lambda: any(map(is_running, self._proofs())))
        if problem:
            words = f"{problem}; see `kubectl -n {self.namespace} describe pod -l app={PROOF}`"
            self._give_up("KontainNotProven", words, usable=False)
            return False
        self.label(state=READY, runtime=HANDLER, version=found.version)
        self._remove_taint()
        words = f"pods of the RuntimeClass {HANDLER} run in VMs by version {found.version}"
        self.tell("Normal", "KontainReady", f"{words}; {found.note}" if found.note else words)
        return True

    def _give_up(self, reason: str, words: str, *, usable: bool) -> None:
        if usable:
            self.label(state=FAILED)
        else:
            self.label(state=FAILED, runtime=None, version=None)
        self.tell("Warning", reason, words)

    def _look(self) -> Dict[str, Any]:
        return self.api.node(self.name)

    def _proofs(self) -> List[Dict[str, Any]]:
        return self.api.pods(self.namespace, self.name, PROOF)

    def _await(self, what: str, is_so: Any) -> str:
        """Wait until something is so; return what was waited for in vain, "" where it came."""
        end = time.monotonic() + self.patience_s
        while time.monotonic() < end:
            if is_so():
                return ""
            time.sleep(_LOOK_S)
        return f"waited {self.patience_s:.0f} s for {what}"

    def _remove_taint(self) -> None:
        taints = self._look()["spec"].get("taints") or []
        left = [taint for taint in taints if taint["key"] != TAINT]
        if left != taints:
            self.api.change_node(self.name, {"spec": {"taints": left or None}})


def is_ready(node: Dict[str, Any]) -> bool:
    """Return whether the kubelet of a node says that it is Ready."""
    conditions = {one["type"]: one["status"] for one in node["status"].get("conditions") or []}
    return conditions.get("Ready") == "True"


def knows_handler(node: Dict[str, Any]) -> bool:
    """Return whether a kubelet has the handler; one that lists none (before 1.30) may have it."""
    handlers = node["status"].get("runtimeHandlers")
    return not handlers or any(one.get("name") == HANDLER for one in handlers)


def is_running(pod: Dict[str, Any]) -> bool:
    """Return whether a pod's probe has found it good."""
    conditions = {one["type"]: one["status"] for one in pod["status"].get("conditions") or []}
    return conditions.get("Ready") == "True"


def report() -> int:
    """Follow the container that works on the node; never return."""
    node = own_node()
    told: Optional[Status] = None
    while True:
        found = status.read()
        if found and found != told:
            try:
                status.decide(decided=node.follow(found))
                told = found
            except ApiError as error:
                print(
                    f"kontain-node: the API server said {error}; trying again",
                    file=sys.stderr,
                    flush=True,
                )
        time.sleep(_LOOK_S)


def own_node() -> Node:
    """Return the node that this pod is on, from what its manifest says."""
    return Node(Api(), os.environ["KONTAIN_NODE"], os.environ["KONTAIN_NAMESPACE"])
