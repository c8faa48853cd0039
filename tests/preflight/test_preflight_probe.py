# SPDX-License-Identifier: Apache-2.0
"""A host is judged by what km does for every program, where there is a km."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kontain_preflight.checks import CHECKS, run_checks
from kontain_preflight.cli import main
from kontain_preflight.host import Host
from kontain_preflight.probe import ask
from kontain_preflight.results import FAIL, PASS, Result

from .made_up import MadeUpHost

ROOT = Path(__file__).resolve().parents[2]
KM = ROOT / "build/km/km"
GOOD = "km=0.1.0\nstep=open us=20\nkind=hardware\nstep=KVM_RUN us=1200\nguest=ok\nresult=ok"
BAD = "km=0.1.0\nstep=open us=20\nstep=KVM_SET_CPUID2 error=EPERM\nresult=failed"
WORDS = "km: KVM refuses its own CPUID: Operation not permitted.\nTo fix: update the kernel."


def guest(host: Host) -> Result:
    """Return what the last step of the ladder found."""
    checks = [check for check in CHECKS if check.id.startswith("kvm-")]
    return run_checks(host, checks).results[-1]


@pytest.fixture
def with_km(host: MadeUpHost) -> MadeUpHost:
    """Return a host on which a km is to be tried that is not installed yet."""
    host._km = "/srv/km"
    return host


def test_km_has_the_last_word(with_km: MadeUpHost) -> None:
    """The run of km's own code counts, with the time that it took."""
    with_km.program("/srv/km", GOOD)
    found = guest(with_km)
    assert (found.status, found.found[:42]) == (PASS, "km ran a program of its own in 1.2 ms (no ")
    assert found.details["probe"] == "km"


def test_a_host_on_which_km_fails_is_refused_in_kms_words(with_km: MadeUpHost) -> None:
    """Although a guest of eight bytes runs, the host is refused, with km's cause and remedy."""
    words = "".join(f"echo '{line}' >&2\n" for line in WORDS.splitlines())
    with_km.write("/srv/km", f"#!/bin/sh\ncat <<'END'\n{BAD}\nEND\n{words}exit 125\n")
    found = guest(with_km)
    assert found.status == FAIL
    assert found.found == "km: KVM refuses its own CPUID: Operation not permitted"
    assert found.cause.startswith("at KVM_SET_CPUID2 error=EPERM; ")
    assert found.fix == "update the kernel"
    assert "result=failed" in found.details["trace"]


@pytest.mark.parametrize(
    "script",
    ["kill -SEGV $$", "echo result=ok; exit 1", "echo km=0.1.0", "exit 3", "echo result=failed"],
)
def test_a_km_that_ends_otherwise_is_no_good(with_km: MadeUpHost, script: str) -> None:
    """A death, another status, and an answer without its end are failures."""
    with_km.write("/srv/km", f"#!/bin/sh\n{script}\n")
    assert guest(with_km).status == FAIL


def test_a_km_without_a_probe_leaves_it_to_the_checks(with_km: MadeUpHost) -> None:
    """An older release's km knows no --probe: then the guest of eight bytes decides, and says so."""
    with_km.write("/srv/km", "#!/bin/sh\necho 'km: there is no option --probe.' >&2\nexit 125\n")
    found = guest(with_km)
    assert found.status == PASS
    assert found.found.startswith("a program of eight bytes ran in ")


def test_a_km_that_is_not_there_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    """--km wants the path of a program."""
    assert main(["--km", "/nowhere/km"]) == 2
    assert "there is no program '/nowhere/km'" in capsys.readouterr().err


@pytest.mark.needs_kvm
@pytest.mark.skipif(not KM.exists(), reason="needs km: run `make km`")
def test_this_machine_is_judged_by_km() -> None:
    """The km of this checkout runs its program here."""
    found = guest(Host(km=str(KM)))
    assert (found.status, found.details["probe"]) == (PASS, "km"), found


@pytest.mark.needs_kvm
@pytest.mark.needs_root
@pytest.mark.skipif(not KM.exists(), reason="needs km: run `make km`")
def test_a_km_where_no_programs_may_run_is_tried_all_the_same(tmp_path: Path) -> None:
    """A bundle that was unpacked below a /tmp that is noexec is probed from memory."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", "noexec", "none", tmp_path], check=True)
    try:
        (tmp_path / "km").write_bytes(KM.read_bytes())
        (tmp_path / "km").chmod(0o755)
        probe = ask(Host(), str(tmp_path / "km"))
        assert probe is not None
        assert probe.good, probe
    finally:
        subprocess.run(["umount", tmp_path], check=True)
