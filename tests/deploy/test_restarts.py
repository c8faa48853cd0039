# SPDX-License-Identifier: Apache-2.0
"""Distributions are restarted only where they run since before their registration."""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path

import pytest

from kontain_node import restarts

RANCHER = "var/lib/rancher/{}/agent/etc/containerd/{}"
FILES = [
    ("k3s", RANCHER.format("k3s", "config-v3.toml.d/kontain.toml")),
    ("k3s-agent", RANCHER.format("k3s", "config-v3.toml.tmpl")),
    ("rke2-server", RANCHER.format("rke2", "config.toml.tmpl")),
    ("rke2-agent", RANCHER.format("rke2", "config-v3.toml.d/kontain.toml")),
    ("k0scontroller", "etc/k0s/containerd.d/kontain.toml"),
    ("k0sworker", "etc/k0s/containerd.toml"),
    (
        "snap.microk8s.daemon-containerd",
        "var/snap/microk8s/current/args/containerd-template.toml",
    ),
]
DROP_IN = FILES[0][1]
OURS = '[runtimes.kontain.options]\nBinaryName = "/opt/kontain/bin/krun"\n'


@pytest.fixture
def calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the commands that a node gets, on which this process is each unit."""
    made: list[str] = []

    def on_node(*words: str) -> subprocess.CompletedProcess[str]:
        made.append(" ".join(words))
        shown = str(os.getpid()) if words[1] == "show" else "0"
        return subprocess.CompletedProcess(words, 0, f"{shown}\n", "")

    monkeypatch.setattr(restarts, "on_node", on_node)
    monkeypatch.setattr(restarts, "NODE", tmp_path)
    return made


def register(node: Path, words: str = OURS, path: str = DROP_IN) -> None:
    """Write the file that a distribution reads."""
    file = node / path
    file.parent.mkdir(parents=True)
    file.write_text(words)


@pytest.mark.parametrize(("unit", "path"), FILES)
def test_a_unit_from_before_is_restarted(
    tmp_path: Path, calls: list[str], unit: str, path: str
) -> None:
    """This process began before the file was written: the units that read it, and no others."""
    time.sleep(0.05)
    register(tmp_path, path=path)
    assert restarts.restart_distribution("containerd") == ""
    restarted = [call.split()[-1] for call in calls if " restart " in call]
    assert unit in restarted
    assert restarted in map(list, restarts.UNITS.values())


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
