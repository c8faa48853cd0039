# SPDX-License-Identifier: Apache-2.0
"""The report at the end of `make test`, and the output of the small scripts next to it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

TOOLS = Path(__file__).resolve().parents[2] / "tools"
MAKEFILE = """
good: ; @echo "SKIPPED [1] x.py:1: no /dev/kvm: load it"; echo "==== 2 passed, 1 skipped in 0.10s ===="
bad: ; @echo "==== 1 failed in 0.20s ====" >&2; exit 3
"""


def test_every_stage_runs_and_is_told_of(tmp_path: Path) -> None:
    """A stage that fails stops no other; the end tells verdicts, summaries and skips."""
    (tmp_path / "tools/ci").mkdir(parents=True)
    shutil.copy(TOOLS / "ci/stages.py", tmp_path / "tools/ci")
    (tmp_path / "Makefile").write_text(MAKEFILE)
    command = [sys.executable, "-m", "tools.ci.stages", "bad", "good"]
    ran = subprocess.run(command, cwd=tmp_path, check=False, capture_output=True, text=True)
    *_, skip, _, bad, good, _ = ran.stdout.splitlines()
    assert ran.returncode == 1
    assert skip == "good: SKIPPED [1] x.py:1: no /dev/kvm: load it"
    assert bad.startswith("bad ")
    assert bad.endswith("failed (status 2); 1 failed in 0.20s")
    assert good.endswith("good; 2 passed, 1 skipped in 0.10s")
    assert "1 failed" in (tmp_path / "build/log/bad.log").read_text()


def test_stages_run_at_once_and_each_is_shown_whole(tmp_path: Path) -> None:
    """One that waits for a later stage ends: they run at a time; and no line is in another's."""
    (tmp_path / "tools/ci").mkdir(parents=True)
    shutil.copy(TOOLS / "ci/stages.py", tmp_path / "tools/ci")
    wait = (
        "long: ; @echo long begins; while [ ! -e done ]; do sleep 0.1; done; echo long is done\n"
    )
    (tmp_path / "Makefile").write_text(f"{wait}short: ; @echo short is done; touch done\n")
    command = [sys.executable, "-m", "tools.ci.stages", "--at-once", "2", "long", "short"]
    ran = subprocess.run(
        command, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=60
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "\n*** long\nlong begins\nlong is done\n*** long ended" in ran.stdout
    assert "\n*** short\nshort is done\n*** short ended" in ran.stdout


def test_stages_know_their_lane_and_make_nothing_twice(tmp_path: Path) -> None:
    """The lane is make's variable and the folder of the logs; ready targets are not made again."""
    (tmp_path / "tools/ci").mkdir(parents=True)
    shutil.copy(TOOLS / "ci/stages.py", tmp_path / "tools/ci")
    stages = ".PHONY: one two bundle\none two: bundle ; @echo lane $(LANE)\nbundle: ; @echo made\n"
    (tmp_path / "Makefile").write_text(stages)
    command = [sys.executable, "-m", "tools.ci.stages", "--lane", "long", "--made", "bundle"]
    subprocess.run([*command, "one", "two"], cwd=tmp_path, check=True, timeout=60)
    for name in ("one", "two"):
        assert (tmp_path / f"build/log/long/{name}.log").read_text() == "lane long\n"


def test_version_is_that_of_the_collection(tmp_path: Path) -> None:
    """The version stands in galaxy.yml, and in MANIFEST.json of an installed collection."""
    (tmp_path / "tools/release").mkdir(parents=True)
    shutil.copy(TOOLS / "release/version", tmp_path / "tools/release")
    (tmp_path / "MANIFEST.json").write_text(
        json.dumps({"collection_info": {"version": "1.2.3"}, "format": 1}, indent=1)
    )
    assert subprocess.check_output([tmp_path / "tools/release/version"], text=True) == "1.2.3\n"
    (tmp_path / "galaxy.yml").write_text("name: x\nversion: 1.2.4-rc.1\n")
    assert (
        subprocess.check_output([tmp_path / "tools/release/version"], text=True) == "1.2.4-rc.1\n"
    )


def test_missing_packages_are_named(tmp_path: Path) -> None:
    """Where packages cannot be installed, all that are missing are named, and only those."""
    (tmp_path / "list").write_text("# none\nmake # is there\nno-such-a\nno-such-b # reason\n")
    (tmp_path / "dpkg-query").write_text(
        '#!/bin/sh\nfor last; do :; done\n[ "$last" = make ] && echo installed\n'
    )
    (tmp_path / "dpkg-query").chmod(0o755)
    for program in ("sed", "id"):
        (tmp_path / program).symlink_to(str(shutil.which(program)))
    ran = subprocess.run(
        [shutil.which("sh") or "sh", TOOLS / "ci/deps", tmp_path / "list"],
        env={**os.environ, "PATH": str(tmp_path)},
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 1
    assert ran.stderr.splitlines()[0] == "deps: packages are missing: no-such-a no-such-b."
