# SPDX-License-Identifier: Apache-2.0
"""`kontain fleet` on three virtual machines with both engines, of which one has no KVM at first.

The tests are one story, in their order. Each run of the command is a user's, on this machine.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

import pytest
import testinfra  # type: ignore[import-untyped]  # it has no types

from tests.fleet.broken_release import make_broken

ROOT = Path(__file__).resolve().parents[3]
VERSION = subprocess.check_output([ROOT / "tools/release/version"], text=True).strip()
BUNDLE = ROOT / f"build/kontain-{VERSION}-x86_64.tar.gz"
ONE, TWO, THREE = HOSTS = ("fleet-one", "fleet-two", "fleet-three")
PROOFS = ("proof-km", "proof-krun", "proof-podman", "proof-docker")

pytestmark = pytest.mark.usefixtures("host")


def of_bundle() -> tuple[str | Path, ...]:
    """Return the options that name the bundle and its sum."""
    made = (ROOT / "build/bundle.sha256").read_text(encoding="utf-8")
    return ("--bundle", BUNDLE, "--sha256", made.split()[0])


def ssh_config(name: str) -> Path:
    """Return how a machine is reached."""
    return ROOT / "build/vms" / name / "ssh_config"


def on(name: str, command: str) -> Any:
    """Run a command on a machine, and return what came of it."""
    return testinfra.get_host(f"ssh://{name}", ssh_config=str(ssh_config(name))).run(command)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with an inventory of the machines; the reports come into it."""
    place = tmp_path_factory.mktemp("fleet")
    hosts = [f"{name} ansible_ssh_common_args='-F {ssh_config(name)}'" for name in HOSTS]
    common = ["[all:vars]", "ansible_user=root", "ansible_python_interpreter=/usr/bin/python3"]
    (place / "inventory").write_text("\n".join([*hosts, *common]) + "\n", encoding="utf-8")
    return place


def fleet(folder: Path, verb: str, *options: str | Path) -> tuple[int, str, dict[str, Any]]:
    """Run `kontain fleet`; return its status, its standard error, and its report by hosts."""
    own: list[str | Path] = [ROOT / "command/bin/kontain", "fleet", verb]
    environment = {name: value for name, value in os.environ.items() if "ANSIBLE" not in name}
    environment["PATH"] = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        [*own, "-i", folder / "inventory", "--report", folder / "report", *options],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
    )
    print(done.stderr)
    found = json.loads((folder / "report/report.json").read_text("utf-8"))
    return done.returncode, done.stderr, found | {h["host"]: h for h in found["hosts"]}


def outcomes(report: dict[str, Any]) -> list[str]:
    """Return what became of each host, in the inventory's order."""
    return [report[name]["outcome"] for name in HOSTS]


def test_a_wave_that_fails_is_the_last(folder: Path) -> None:
    """The second wave's host has no KVM: it says so and stays as it is, and the third is not reached."""
    assert on(TWO, "modprobe -r kvm_amd").rc == 0

    status, said, report = fleet(folder, "apply", *of_bundle(), "--waves", "1,1,1")

    assert status == 1
    assert outcomes(report) == ["changed", "failed", "not reached"]
    assert report["ended"] == "halted"
    assert "halted after a wave with failures" in said
    assert on(ONE, "cat /opt/kontain/current/VERSION").stdout.strip() == VERSION
    for name in (TWO, THREE):
        assert on(name, "test -e /opt/kontain -o -e /etc/kontain").rc != 0


def test_reports_tell_of_each_host(folder: Path) -> None:
    """The page, the JSON and the JUnit file name each host, and what to do with the one that failed."""
    page = (folder / "report/report.html").read_text("utf-8")
    found = json.loads((folder / "report/report.json").read_text("utf-8"))
    failed = next(host for host in found["hosts"] if host["host"] == TWO)
    fixes = [each["fix"] for each in failed["results"] if each["status"] == "fail"]
    assert any("modprobe kvm_amd" in fix for fix in fixes), fixes
    assert all(f"<td>{name}</td>" in page for name in HOSTS)
    assert "modprobe kvm_amd" in page
    suites = ET.parse(folder / "report/report.xml").getroot()  # noqa: S314 - it is our own
    bad = {
        case.get("classname")
        for case in suites.iter("testcase")
        if case.find("failure") is not None
    }
    assert bad == {TWO}


def test_a_mended_host_is_resumed(folder: Path) -> None:
    """Once the host is as the report said, the same command with --resume does what is left."""
    assert on(TWO, "modprobe kvm_amd").rc == 0
    began = on(ONE, "stat -c %Y /var/lib/kontain").stdout

    status, _, report = fleet(folder, "apply", *of_bundle(), "--waves", "1,1,1", "--resume")

    assert status == 0
    assert outcomes(report) == ["changed", "changed", "changed"]
    assert on(ONE, "stat -c %Y /var/lib/kontain").stdout == began
    for name in HOSTS:
        assert report[name]["release"] == VERSION


def test_every_host_is_proven(folder: Path) -> None:
    """Each host runs payloads by km, krun and both engines, and tells how long a start takes."""
    status, _, report = fleet(folder, "verify")

    assert status == 0
    for name in HOSTS:
        proofs = {each["check"]: each["status"] for each in report[name]["results"]}
        assert [proofs[proof] for proof in PROOFS] == ["pass"] * len(PROOFS)
        assert report[name]["cold_start_ms"] > 0


def test_a_bad_release_ends_with_its_canary(folder: Path, tmp_path: Path) -> None:
    """A release by which nothing runs is found by the first wave, whose host is taken back."""
    broken = make_broken(BUNDLE, tmp_path)

    status, _, report = fleet(
        folder, "apply", "--bundle", broken, "--unsigned", "--rollback-failed"
    )

    assert status == 1
    assert outcomes(report) == ["failed", "not reached", "not reached"]
    assert report[ONE]["rolled_back"] == VERSION
    assert on(ONE, "/opt/kontain/bin/km /opt/kontain/current/share/hello.km").rc == 0


def test_again_is_nothing_to_do(folder: Path) -> None:
    """A last apply finds every host good, and changes nothing on any."""
    listing = "find /opt/kontain /etc /var/lib/kontain -printf '%p %T@ %C@\\n' | sort"
    before = [on(name, listing).stdout for name in HOSTS]

    status, _, report = fleet(folder, "apply", *of_bundle())

    assert status == 0
    assert outcomes(report) == ["good", "good", "good"]
    assert [on(name, listing).stdout for name in HOSTS] == before
