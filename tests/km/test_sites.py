# SPDX-License-Identifier: Apache-2.0
"""Call sites that jump past SYSCALL: the program's code changes, and nothing else that it can see.

The payload `sites` looks at all that a program could see; see payloads.py. Here is the view of
others: of a process that reads the code, and of the files that are written of a running program.
"""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

# The sites of the payload: MOV to EAX or JMP, SYSCALL, PUSHF and POP to memory; of three others,
# which load the number in another way, SYSCALL or a short JMP.
AS_IN_THE_FILE = re.compile(
    rb"\xb8..\0\0\x0f\x05\x9c|(?:\x6e\0\0\0|\x27\0\0\0|\x58)\x0f\x05\x9c\x8f\x43", re.DOTALL
)
JUMPING = re.compile(rb"\xe9....\x0f\x05\x9c|\xeb.\x9c\x8f\x43", re.DOTALL)


@pytest.fixture(params=["musl", "dynamic"])
def sites(request: pytest.FixtureRequest, build: Callable[..., Path]) -> Path:
    """Return the payload, at a fixed address and at a random one."""
    return build("sites", request.param)


def output(command: "list[str | Path]", folder: Path) -> str:
    """Return what a command prints; it must succeed."""
    return subprocess.run(
        command, cwd=folder, check=True, capture_output=True, text=True, timeout=120
    ).stdout


def is_software(km: Path, folder: Path) -> bool:
    """Whether KVM works in software here, where sites jump."""
    return "kind=software" in output([km, "--probe"], folder)


@pytest.mark.parametrize("case", ["checked", "checked-any"])
def test_hot_sites_jump(km: Path, sites: Path, tmp_path: Path, case: str) -> None:
    """Sites that are used often are changed, of either form, where KVM works in software only."""
    changed = "changed" if is_software(km, tmp_path) else "kept"
    assert output([km, sites, case], tmp_path) == f"code {changed}\ndone\n"


@pytest.mark.parametrize("option", ["--no-patch", "--stats", "--trace"])
def test_who_shall_see_the_code_as_it_is(
    km: Path, sites: Path, tmp_path: Path, option: str
) -> None:
    """--no-patch leaves the code alone, for a program that checks it; so do --stats and --trace."""
    where: list[str | Path] = [] if option == "--no-patch" else ["-o", tmp_path / "report"]
    assert output([km, option, *where, sites, "checked"], tmp_path) == "code kept\ndone\n"


def test_the_next_program_is_left_alone_too(km: Path, sites: Path, tmp_path: Path) -> None:
    """--no-patch holds for what the program executes."""
    script = f'exec "{sites}" checked'
    assert output([km, "--no-patch", "/bin/sh", "-c", script], tmp_path) == "code kept\ndone\n"


def test_a_snapshot_has_the_code_of_the_file(km: Path, sites: Path, tmp_path: Path) -> None:
    """A snapshot of a program whose sites are hot holds no jump, and resumes."""
    snapshot = tmp_path / "snapshot"
    output([km, "--snapshot", snapshot, sites, "snapshot"], tmp_path)
    assert not JUMPING.search(snapshot.read_bytes())
    for _ in range(2):
        assert output([km, snapshot], tmp_path) == "code kept\ndone\n"
    live = output([km, "--snapshot", snapshot, "--live", sites, "snapshot"], tmp_path)
    assert live == "code kept\ndone\n"


def test_a_core_has_the_code_of_the_file(km: Path, sites: Path, tmp_path: Path) -> None:
    """A core of such a program holds no jump."""
    core = tmp_path / "core"
    done = subprocess.run(
        [km, f"--coredump={core}", sites, "core"], cwd=tmp_path, check=False, timeout=120
    )
    assert done.returncode < 0
    written = core.read_bytes()
    assert not JUMPING.search(written)
    if is_software(km, tmp_path):  # a page that was changed is the program's own and written out
        assert len(AS_IN_THE_FILE.findall(written)) == 6
