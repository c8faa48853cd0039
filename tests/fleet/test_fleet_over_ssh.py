# SPDX-License-Identifier: Apache-2.0
"""`kontain fleet` on three real SSH hosts of this machine, of which one has no KVM at first."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path
from typing import Any, Iterator

import pytest

from tests.sources import ROOT, built_sum

from .broken_release import VERSION as BROKEN_VERSION
from .broken_release import make_broken
from .ssh_hosts import Fleet, missing

HIDE_KVM = "touch /run/nothing && mount --bind /run/nothing /dev/kvm"
VERSION = subprocess.check_output([ROOT / "tools/release/version"], text=True).strip()
BUNDLE = next((ROOT / "build").glob("kontain-*-x86_64.tar.gz"), None)
SUM = built_sum() if BUNDLE else ""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_root,
    pytest.mark.needs_kvm,
    pytest.mark.skipif(bool(missing()), reason=missing()),
    pytest.mark.skipif(not BUNDLE, reason="needs a bundle: run `make bundle`"),
    pytest.mark.skipif(not Path("/dev/kvm").exists(), reason="needs /dev/kvm"),
]


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    """The hosts, whose story the tests are."""
    with closing(Fleet(["no-kvm", "two", "three"])) as fleet:
        fleet.hosts[0].sandbox.run("sh", "-c", HIDE_KVM).check_returncode()
        yield fleet


@pytest.fixture(scope="module")
def broken(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The bundle of a release by which nothing runs."""
    assert BUNDLE
    return str(make_broken(BUNDLE, tmp_path_factory.mktemp("broken")))


def command(fleet: Fleet, verb: str, *options: str) -> list[str]:
    """Return the command line."""
    # Docker's daemon does not run on these hosts.
    more = ["--engines", "podman"] if verb in ("plan", "apply") else []
    given = ["--bundle", str(BUNDLE), *(["--sha256", SUM] if "--bundle" not in options else [])]
    bundle = given if verb in ("plan", "apply") else []
    report = ["--report", str(fleet.folder / "report")]
    own = [str(ROOT / "command/bin/kontain"), "fleet", verb, "-i", str(fleet.inventory)]
    return [*own, *bundle, *report, *more, *options]


def environment() -> dict[str, str]:
    """Return an environment whose Ansible is that of the tests."""
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE")}
    return own | {"PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}"}


def run(fleet: Fleet, verb: str, *options: str) -> subprocess.CompletedProcess[str]:
    """Run `kontain fleet`."""
    return subprocess.run(
        command(fleet, verb, *options),
        check=False,
        capture_output=True,
        text=True,
        env=environment(),
    )


def report(fleet: Fleet) -> dict[str, Any]:
    """Return the report of the last run, with its hosts by name."""
    found: dict[str, Any] = json.loads((fleet.folder / "report/report.json").read_text("utf-8"))
    return found | {"hosts": {host["host"]: host for host in found["hosts"]}}


def ends(fleet: Fleet) -> dict[str, str]:
    """Return host: outcome of the last run."""
    return {name: host["outcome"] for name, host in report(fleet)["hosts"].items()}


def changes(fleet: Fleet) -> list[dict[str, str]]:
    """Return what is not as at first on each host, without traces of the run itself."""
    theirs = ("/opt", "/etc", "/usr", "/var/lib/kontain")
    return [
        {path: how for path, how in host.sandbox.changes().items() if path.startswith(theirs)}
        for host in fleet.hosts
    ]


def test_plan_changes_nothing(fleet: Fleet) -> None:
    """Plan tells of each host what would change, or why it cannot be, and leaves all as they are."""
    said = run(fleet, "plan")

    assert said.returncode == 1, said.stderr
    assert ends(fleet) == {"no-kvm": "failed", "two": "changed", "three": "changed"}
    assert "no-kvm: kvm-device: " in said.stderr
    assert report(fleet)["hosts"]["two"]["changes"][0]["path"].startswith("/opt")
    assert changes(fleet) == [{}, {}, {}]


def test_a_wave_that_fails_is_the_last(fleet: Fleet) -> None:
    """A canary that cannot be made a Kontain host ends the run; the others are not touched."""
    said = run(fleet, "apply", "--waves", "1,100%")

    assert said.returncode == 1, said.stderr
    assert ends(fleet) == {"no-kvm": "failed", "two": "not reached", "three": "not reached"}
    assert report(fleet)["ended"] == "halted"
    assert said.stderr.splitlines()[-2].startswith("kontain fleet: halted after a wave with fail")
    assert changes(fleet) == [{}, {}, {}]


def test_a_first_release_that_fails_is_taken_back(fleet: Fleet, broken: str) -> None:
    """With --rollback-failed a canary without Kontain is without it again; no other is touched."""
    fleet.hosts[0].sandbox.run("umount", "/dev/kvm").check_returncode()

    said = run(fleet, "apply", "--bundle", broken, "--unsigned", "--rollback-failed")

    assert said.returncode == 1, said.stderr
    assert ends(fleet) == {"no-kvm": "failed", "two": "not reached", "three": "not reached"}
    assert report(fleet)["hosts"]["no-kvm"]["rolled_back"] == "no Kontain"
    assert "proof-km: km: this release is broken" in said.stderr
    assert "The host is back at no Kontain." in said.stderr
    assert changes(fleet) == [{}, {}, {}]


def test_an_interrupted_run_is_resumed(fleet: Fleet) -> None:
    """A run that is interrupted in the second wave resumes there."""
    waves = ("--waves", "1,1,1")
    with subprocess.Popen(
        command(fleet, "apply", *waves), stderr=subprocess.PIPE, text=True, env=environment()
    ) as process:
        assert process.stderr
        said_before = ""
        for line in process.stderr:
            said_before += line
            if line == "wave 2\n":
                while process.poll() is None and not changes(fleet)[1]:
                    time.sleep(0.02)
                process.send_signal(signal.SIGINT)
                break
        rest = process.stderr.read()

    assert process.returncode == 130, said_before + rest
    assert ends(fleet) == {"two": "interrupted", "no-kvm": "changed", "three": "not reached"}
    assert "two: the run was interrupted while this host was being worked on" in rest

    said = run(fleet, "apply", *waves, "--resume")
    assert said.returncode == 0, said.stderr
    assert report(fleet)["good"]
    assert report(fleet)["hosts"]["three"]["outcome"] == "changed"


def test_again_is_nothing_to_do(fleet: Fleet) -> None:
    """A second apply finds every host good, and writes nothing to any."""
    before = changes(fleet)

    said = run(fleet, "apply")

    assert said.returncode == 0, said.stderr
    assert set(ends(fleet).values()) == {"good"}
    assert changes(fleet) == before


def test_a_damaged_host_is_mended(fleet: Fleet) -> None:
    """A host with a changed release gets it again; the others are left alone."""
    damage = "echo '# changed' >>/opt/kontain/current/bin/krun"
    fleet.hosts[1].sandbox.run("sh", "-c", damage).check_returncode()

    said = run(fleet, "apply")

    assert said.returncode == 0, said.stderr
    assert ends(fleet) == {"no-kvm": "good", "two": "changed", "three": "good"}
    whole = "cd /opt/kontain/current && sha256sum --quiet -c MANIFEST"
    assert fleet.hosts[1].sandbox.run("sh", "-c", whole).returncode == 0


def test_verify_proves_each_host(fleet: Fleet) -> None:
    """Verify runs containers in VMs on each host, tells its cold start, and makes three reports."""
    said = run(fleet, "verify", "--json")

    assert said.returncode == 0, said.stderr
    assert json.loads(said.stdout)["good"]
    for host in report(fleet)["hosts"].values():
        proofs = {each["check"]: each["status"] for each in host["results"]}
        assert (proofs["proof-km"], proofs["proof-podman"]) == ("pass", "pass")
        assert host["cold_start_ms"] > 0
    page = (fleet.folder / "report/report.html").read_text(encoding="utf-8")
    assert all(f">{name}</td>" in page for name in ("no-kvm", "two", "three"))
    assert (fleet.folder / "report/report.xml").stat().st_size > 1000


def test_a_bundle_that_nobody_signed_is_refused(fleet: Fleet, broken: str) -> None:
    """Without the operator's word no host takes an unsigned bundle, and each stays as it is."""
    before = changes(fleet)

    said = run(fleet, "apply", "--bundle", broken, "--downgrade")

    assert said.returncode == 1, said.stderr
    assert f"cannot trust the bundle kontain-{BROKEN_VERSION}-x86_64.tar.gz" in said.stderr
    assert changes(fleet) == before


def test_an_upgrade_that_fails_is_rolled_back(fleet: Fleet, broken: str) -> None:
    """With --rollback-failed a canary has its release again; the waves halt before the others."""
    said = run(fleet, "apply", "--bundle", broken, "--unsigned", "--rollback-failed")

    assert said.returncode == 1, said.stderr
    assert ends(fleet) == {"no-kvm": "failed", "two": "not reached", "three": "not reached"}
    canary = report(fleet)["hosts"]["no-kvm"]
    assert canary["rolled_back"] == canary["release"] == VERSION
    check = "cat /opt/kontain/current/VERSION && /opt/kontain/bin/km /opt/kontain/current/share/hello.km"
    works = fleet.hosts[0].sandbox.run("sh", "-c", check)
    assert (works.returncode, works.stdout.splitlines()[0]) == (0, VERSION), works.stderr


def test_without_the_option_a_failed_canary_stays(fleet: Fleet, broken: str) -> None:
    """Without --rollback-failed the canary keeps the release that failed, to be looked at."""
    assert run(fleet, "apply", "--bundle", broken, "--unsigned").returncode == 1

    assert report(fleet)["hosts"]["no-kvm"]["rolled_back"] == ""
    release = fleet.hosts[0].sandbox.run("cat", "/opt/kontain/current/VERSION").stdout.strip()
    assert release == BROKEN_VERSION


def test_wrong_usage_is_refused(fleet: Fleet) -> None:
    """A wrong command line ends with status 2 and two lines, and reaches no host."""
    for options in (
        ("apply", "--waves", "some"),
        ("apply", "--engines", "lxc"),
        ("apply", "--bundle", "/nowhere"),
        ("check", "-i", "/nowhere"),
        ("verify", "--rollback-failed"),
        ("check", "--resume"),  # the last run was another
        ("repair",),
    ):
        said = run(fleet, *options)
        assert said.returncode == 2, said
        assert [line[:8] for line in said.stderr.splitlines()[-2:]] == ["kontain ", "To fix: "]


def test_a_controller_without_ansible_says_so(fleet: Fleet, tmp_path: Path) -> None:
    """Without ansible-runner the command names what to install; status 5."""
    said = subprocess.run(
        command(fleet, "check"),
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": str(tmp_path)},
    )

    assert said.returncode == 5
    assert (
        "To fix: on the controller, run `pip install ansible-core ansible-runner`" in said.stderr
    )
