# SPDX-License-Identifier: Apache-2.0
"""The reports of a node's pod to the cluster, by an API server that is a dictionary."""

from __future__ import annotations

import copy
import subprocess
import tarfile
import threading
from pathlib import Path
from typing import Any

import pytest

from kontain_node import engine, jobs, status
from kontain_node import node as on_node
from kontain_node.api import Api
from kontain_node.cluster import Node, is_ready, knows_handler
from kontain_node.outcome import Outcome
from kontain_node.status import FAILED, INSTALLED, INSTALLING, Status

READY = {"conditions": [{"type": "Ready", "status": "True"}]}


class FakeApi(Api):
    """An API server with one node, whose DaemonSet controller is quick: a proof runs at once."""

    def __init__(self, *, proof_works: bool = True, **node_status: Any) -> None:
        """Make the node, with what a kubelet says of itself."""
        self.labels: dict[str, str] = {}
        self.states: list[str] = []
        self.taints: list[dict[str, str]] = []
        self.events: list[tuple[str, str]] = []
        self.node_status = {**READY, **node_status}
        self.proof_works = proof_works

    def node(self, name: str) -> dict[str, Any]:
        """Return the node."""
        return {
            "metadata": {"name": name, "labels": self.labels},
            "spec": {"taints": self.taints},
            "status": self.node_status,
        }

    def change_node(self, name: str, patch: dict[str, Any]) -> None:
        """Change labels and taints."""
        assert name == "n"
        for key, value in patch.get("metadata", {}).get("labels", {}).items():
            self.labels.pop(key, None)
            if value is not None:
                self.labels[key] = value
        if "metadata" in patch:
            self.states.append(self.labels["kontain.app/state"])
        if "spec" in patch:
            self.taints = copy.deepcopy(patch["spec"]["taints"] or [])

    def pods(self, namespace: str, node: str, app: str) -> list[dict[str, Any]]:
        """Return the proof while the node is being proven."""
        assert (namespace, node, app) == ("kontain-system", "n", "kontain-proof")
        proving = self.labels.get("kontain.app/state") == "proving"
        return [{"status": READY}] if proving and self.proof_works else []

    def tell(self, event: dict[str, Any]) -> None:
        """Keep an event."""
        self.events.append((event["reason"], event["message"]))


def node(api: FakeApi) -> Node:
    """Return the node of an API server, which is not waited for."""
    return Node(api, "n", "kontain-system", patience_s=0.01)


def test_a_proven_node_gets_its_label_and_loses_its_taint() -> None:
    """It passes the states in order; other people's taints stay."""
    api = FakeApi()
    api.taints = [{"key": "kontain.app/not-ready"}, {"key": "gpu"}]
    assert not node(api).follow(Status(INSTALLING))
    assert node(api).follow(Status(INSTALLED, "1.2.3", usable=True))
    assert api.states == ["installing", "installing", "proving", "ready"]
    assert api.labels["kontain.app/runtime"] == "kontain"
    assert api.labels["kontain.app/version"] == "1.2.3"
    assert api.taints == [{"key": "gpu"}]
    assert [reason for reason, _ in api.events] == ["KontainReady"]


def test_a_node_whose_pods_are_not_in_vms_gets_none() -> None:
    """Where the proof does not get Ready, its label goes, and the event says where to look."""
    api = FakeApi(proof_works=False)
    api.labels["kontain.app/runtime"] = "kontain"
    assert not node(api).follow(Status(INSTALLED, "1.2.3", usable=True))
    assert api.labels == {"kontain.app/state": "failed"}
    ((reason, words),) = api.events
    assert reason == "KontainNotProven"
    assert "describe pod -l app=kontain-proof" in words


@pytest.mark.parametrize(
    ("handlers", "known"),
    [
        (None, True),
        ([{"name": ""}, {"name": "runc"}], False),
        ([{"name": ""}, {"name": "kontain", "features": {}}], True),
    ],
)
def test_kubelets_of_1_30_say_whether_they_know_the_handler(handlers: Any, *, known: bool) -> None:
    """An older kubelet says nothing, and the proof decides."""
    api = FakeApi(**({"runtimeHandlers": handlers} if handlers else {}))
    assert knows_handler(api.node("n")) is known
    assert node(api).follow(Status(INSTALLED, "1", usable=True)) is known
    if not known:
        assert "waited 0 s for the kubelet to list the handler kontain" in api.events[0][1]
        assert "proving" not in api.states


def test_a_node_that_is_not_ready_is_waited_for() -> None:
    """Nothing is proven on a node whose kubelet does not say that it is Ready."""
    api = FakeApi(conditions=[{"type": "Ready", "status": "Unknown"}])
    assert not is_ready(api.node("n"))
    assert not node(api).follow(Status(INSTALLED, "1", usable=True))
    assert "for the node to be Ready" in api.events[0][1]


@pytest.mark.parametrize(
    ("found", "labels", "goes_on"),
    [
        (Status(FAILED, "", "kvm: no"), {"kontain.app/state": "failed"}, True),
        (Status(FAILED, "1", "no"), {"kontain.app/state": "failed"}, False),
        (
            Status(FAILED, "1", "no", usable=True),
            {"kontain.app/state": "failed", "kontain.app/runtime": "kontain"},
            False,
        ),
    ],
)
def test_a_failure_is_told_and_holds_a_rollout(
    found: Status, labels: dict[str, str], *, goes_on: bool
) -> None:
    """A node that never had Kontain holds nobody up; one that still has an older version keeps it."""
    api = FakeApi()
    api.labels["kontain.app/runtime"] = "kontain"
    assert node(api).follow(found) is goes_on
    assert api.labels == labels
    assert api.events == [("KontainFailed", found.words)]


def test_a_failure_is_told_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """A node that fails at each attempt stays so, and its cluster gets no event a minute."""
    written: list[Status] = []
    attempts = iter([Status(FAILED, "", "kvm: no")] * 3 + [Status(INSTALLED, "1", usable=True)])

    def attempt(_outcome: Outcome) -> Status:
        return next(attempts)

    monkeypatch.setattr(on_node, "_bring", attempt)
    monkeypatch.setattr(on_node, "_wait", lambda _ended: None)
    monkeypatch.setattr(engine, "current_version", lambda: "")
    monkeypatch.setattr(status, "write", written.append)
    monkeypatch.setenv("KONTAIN_NODE", "n")
    with pytest.raises(StopIteration):
        on_node.install()
    assert [one.state for one in written[:5]] == ["installing", *["failed"] * 3, "installed"]


def test_a_job_rolls_a_node_back_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A second pod of one Job on a node only verifies it; the next Job goes back again."""
    (tmp_path / "run").mkdir()
    (tmp_path / "var/lib").mkdir(parents=True)
    said: list[str] = []

    def kontain(verb: str) -> subprocess.CompletedProcess[str]:
        said.append(verb)
        return subprocess.CompletedProcess([], 0, "", "")

    monkeypatch.setattr(engine, "NODE", tmp_path)
    monkeypatch.setattr(engine, "installed", lambda: kontain)
    monkeypatch.setattr(jobs, "_MESSAGE", str(tmp_path / "message"))
    for job in ("one", "one", "two"):
        monkeypatch.setenv("KONTAIN_JOB", job)
        assert jobs.rollback() == 0
    assert said == ["rollback", "verify", "verify", "rollback", "verify"]


def test_the_containers_meet_in_a_file(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """One reads exactly what the other writes, and before that there is nothing."""
    monkeypatch.setattr(status, "FILE", tmp_path / "status.json")
    monkeypatch.setattr(status, "DECIDED", tmp_path / "decided")
    assert status.read() is None
    told = Status(INSTALLED, "1.2.3", "words", usable=True, note="a note")
    status.write(told)
    assert status.read() == told
    assert status.decided() == 1
    status.decide(decided=True)
    assert status.decided() == 0
    status.decide(decided=False)
    assert status.decided() == 1


def test_a_status_is_written_through_no_link(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A link in the place of the file leads the container with rights on the node nowhere."""
    (tmp_path / "victim").write_text("kept", encoding="ascii")
    (tmp_path / "status.draft").symlink_to("victim")
    (tmp_path / "status.json").symlink_to("victim")
    monkeypatch.setattr(status, "FILE", tmp_path / "status.json")
    status.write(Status(INSTALLED))
    assert (tmp_path / "victim").read_text(encoding="ascii") == "kept"
    assert status.read() == Status(INSTALLED)


def test_two_installers_on_one_node_take_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The second does not touch the first one's files, and continues when that has ended."""
    image, node = tmp_path / "image", tmp_path / "node"
    (node / "var/lib").mkdir(parents=True)
    program = image / "kontain-1/release/program"
    program.parent.mkdir(parents=True)
    program.touch()
    with tarfile.open(image / "kontain-1-x86_64.tar.gz", "w:gz") as archive:
        archive.add(image / "kontain-1", "kontain-1")
    monkeypatch.setattr(engine, "NODE", node)
    monkeypatch.setattr(engine, "IMAGE", image)
    seen: list[str] = []

    def second() -> None:
        with engine.laid_out() as kontain:
            seen.append(kontain.release)

    other = threading.Thread(target=second)
    with engine.laid_out() as kontain:
        laid = node / kontain.release.lstrip("/") / "program"
        other.start()
        other.join(timeout=0.5)
        assert laid.exists()
        assert seen == []
    other.join(timeout=10)
    assert seen == [kontain.release]
    assert list((node / "var/lib").iterdir()) == []
