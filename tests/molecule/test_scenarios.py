# SPDX-License-Identifier: Apache-2.0
"""The runner of scenarios: its notes of a run, and its leftovers after an interruption."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path
from typing import Any

import pytest

from tools.vm import recipes, scenarios

PRINTED = """\
\x1b[36mINFO    \x1b[0m \x1b[32minstall\x1b[0m ➜ \x1b[33mverify\x1b[0m: \x1b[36mExecuting\x1b[0m
  │     - '================== 2 failed, 14 passed, 3 skipped in 33.10s =================='
ERROR    install ➜ verify: Executed: Failed (Ansible return code was 2)
INFO     install ➜ destroy: Executing
INFO     install ➜ destroy: Executed: Successful
"""


def test_steps_are_noted_with_their_tests() -> None:
    """The output of molecule becomes its steps, each with its end and pytest's counts."""
    result: dict[str, Any] = {"steps": []}
    with subprocess.Popen(["printf", "%s", PRINTED], stdout=subprocess.PIPE, text=True) as process:
        scenarios.watch(process, result)
    verify, destroy = result["steps"]
    counts = {"failed": 2, "passed": 14, "skipped": 3}
    assert verify == {"name": "verify", "good": False, "seconds": 0, **counts}
    assert destroy == {"name": "destroy", "good": True, "seconds": 0}


@pytest.mark.parametrize("ending", [KeyboardInterrupt, None])
def test_no_machine_is_left(
    ending: type[BaseException] | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However a run ends, molecule is ended in order first, and then its machines are."""
    # As main() does: the background of a shell ignores it, and so would what is started.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    program = tmp_path / "molecule"
    program.write_text(
        f"#!/bin/sh\ntrap 'echo >{tmp_path}/ended; exit 1' INT\necho started\n"
        f"{'while :; do sleep 0.2; done' if ending else ''}\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    stopped: list[str] = []
    monkeypatch.setattr("tools.vm.vm.stop_vm", stopped.append)

    def go() -> None:
        with scenarios.molecule(scenarios.Run("install", "trixie"), whole=False) as process:
            assert process.stdout
            assert process.stdout.readline() == "started\n"
            if ending:
                raise ending
            process.wait()

    if ending:
        with pytest.raises(ending):
            go()
    else:
        go()
    assert (tmp_path / "ended").exists() == bool(ending)
    assert stopped == ["install"]


def test_every_run_has_its_scenario_and_image() -> None:
    """Each run of the table names a scenario that is there and an image that can be made."""
    for run in scenarios.RUNS:
        assert (scenarios.SCENARIOS / run.scenario / "molecule.yml").exists(), run
        assert scenarios.machines(run.scenario)
        assert run.image in recipes.RECIPES, run


def test_unknown_runs_are_refused(capsys: pytest.CaptureFixture[str]) -> None:
    """A run that is not in the table is a wrong command line, and the message lists the table."""
    with pytest.raises(SystemExit) as ended:
        scenarios.main(["install@potato"])
    assert ended.value.code == 2
    assert "install@trixie" in capsys.readouterr().err


def test_termination_is_an_interruption(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """SIGTERM ends a run as Ctrl-C does, with status 130, even where SIGINT was ignored."""

    def interrupted(*_: object, **__: object) -> dict[str, Any]:
        signal.raise_signal(signal.SIGTERM)
        return {}

    monkeypatch.setattr(scenarios, "perform", interrupted)
    monkeypatch.setattr(scenarios, "RESULTS", tmp_path)
    before = [signal.signal(number, signal.SIG_IGN) for number in (signal.SIGINT, signal.SIGTERM)]
    try:
        assert scenarios.main(["install@trixie"]) == 130
    finally:
        signal.signal(signal.SIGINT, before[0])
        signal.signal(signal.SIGTERM, before[1])
