# SPDX-License-Identifier: Apache-2.0
"""k3s, RKE2 and k0s are restarted only where they run since before their registration."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from kontain_node import restarts

DROP_IN = "var/lib/rancher/k3s/agent/etc/containerd/config-v3.toml.d/kontain.toml"


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the commands that a node gets, on which this process is the unit k3s."""
    made: list[str] = []

    def on_node(*words: str) -> subprocess.CompletedProcess[str]:
        made.append(" ".join(words))
        shown = str(os.getpid()) if words[1] == "show" and words[-1] == "k3s" else "0"
        return subprocess.CompletedProcess(words, 0, f"{shown}\n", "")

    monkeypatch.setattr(restarts, "on_node", on_node)
    monkeypatch.setattr(restarts, "NODE", tmp_path)
    return made


def register(node: Path, words: str = "# Made by Kontain; see `kontain why`") -> None:
    """Write the drop-in file."""
    file = node / DROP_IN
    file.parent.mkdir(parents=True)
    file.write_text(words)


def test_a_unit_from_before_is_restarted(tmp_path: Path, calls: list[str]) -> None:
    """This process began before the file was written."""
    time.sleep(0.05)
    register(tmp_path)
    assert restarts.restart_distribution("containerd") == ""
    assert [call for call in calls if " restart " in call] == ["systemctl restart k3s"]


def test_a_unit_from_after_is_left(
    tmp_path: Path, calls: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A second apply restarts nothing."""
    register(tmp_path)
    monkeypatch.setattr(restarts, "start_of", lambda _: time.time() + 60)
    assert restarts.restart_distribution("containerd") == ""
    assert not [call for call in calls if " restart " in call]


def test_files_of_others_restart_nothing(tmp_path: Path, calls: list[str]) -> None:
    """Only a registration of Kontain's counts."""
    register(tmp_path, "# an operator's own\n")
    assert restarts.restart_distribution("containerd") == ""
    assert calls == []


def test_crio_is_reloaded_where_it_is_registered(tmp_path: Path, calls: list[str]) -> None:
    """A reload ends nothing, so it needs no judgement of times."""
    assert restarts.restart_distribution("crio") == ""
    assert calls == []
    file = tmp_path / "etc/crio/crio.conf.d/50-kontain.conf"
    file.parent.mkdir(parents=True)
    file.write_text("[crio]\n")
    assert restarts.restart_distribution("crio") == ""
    assert calls == ["systemctl reload crio"]
