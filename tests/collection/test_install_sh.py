# SPDX-License-Identifier: Apache-2.0
"""install.sh where it must do nothing: cut off, misused, without rights, on the wrong machine."""

from __future__ import annotations

import json
import os
import random
import re
import subprocess
from pathlib import Path

import pytest

from tests.sources import ROOT
from tools.release import dist

SCRIPT = ROOT / "install.sh"
NOBODY = 65534
KEY = "MII" + "x" * 557  # as long as that of a release
STATUSES = {2: "wrong usage", 4: "not root", 5: "could not be had"}


def run(
    *arguments: str, script: Path = SCRIPT, nobody: bool = False, **environment: str
) -> subprocess.CompletedProcess[str]:
    """Run install.sh with this environment and no other, if asked as the user nobody."""
    user = {"user": NOBODY, "group": NOBODY} if nobody and os.geteuid() == 0 else {}
    return subprocess.run(  # type: ignore[call-overload,no-any-return]  # user comes as a dict
        ["sh", script, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={"PATH": os.defpath} | environment,
        cwd="/",
        stdin=subprocess.DEVNULL,
        **user,
    )


def assert_error(said: subprocess.CompletedProcess[str], status: int, text: str) -> None:
    """Assert the two lines of an error on standard error, and the status."""
    lines = said.stderr.splitlines()
    assert said.returncode == status, said
    assert len(lines) == 2, said
    assert re.fullmatch(r"install\.sh: .*\.", lines[0])
    assert re.fullmatch(r"To fix: .*\.", lines[1])
    assert text in said.stderr


def cuts(script: str) -> list[int]:
    """Return where to cut: all through every line of the top level, at line ends, and at random."""
    chosen = set(random.Random(0).sample(range(len(script)), 300))  # noqa: S311  # no secret
    start, inside = 0, False  # inside the program in Python that a published script has
    for line in script.splitlines(keepends=True):
        chosen.add(start + len(line))
        if line[0] not in "#\t\n" and not inside:
            chosen |= set(range(start, start + len(line)))
        inside = (inside or line.endswith("<<'END'\n")) and line != "END\n"
        start += len(line)
    return sorted(chosen - {len(script) - 1, len(script)})


def words(script: str) -> set[str]:
    """Return every word of the script, and every part that one at a line's start may be cut to."""
    starts = re.findall(r"^[a-zA-Z_]+", script, re.MULTILINE)
    return {
        *re.findall(r"\b[a-zA-Z][\w-]{1,60}\b", script),
        *(w[:n] for w in starts for n in range(1, 30)),
    }


@pytest.fixture(params=["checkout", "release"])
def script(request: pytest.FixtureRequest) -> str:
    """The script as it is in a checkout, and as a release has it."""
    if request.param == "checkout":
        return SCRIPT.read_text(encoding="ascii")
    text: str = dist.install_script("1.2.3", KEY, "").decode()
    return text


def test_a_script_cut_off_anywhere_does_nothing(script: str, tmp_path: Path) -> None:
    """Cut at any byte, the script calls no program, though all that it names were there."""
    spies, called = tmp_path / "bin", tmp_path / "called"
    spies.mkdir()
    for name in words(script):
        (spies / name).write_text(f"#!/bin/sh\necho {name} >>{called}\n", encoding="ascii")
        (spies / name).chmod(0o755)
    shell = os.path.realpath("/bin/sh")
    for cut in cuts(script):
        subprocess.run(
            [shell, "-s", "--", "--yes"],
            input=script[:cut],
            check=False,
            capture_output=True,
            text=True,
            env={"PATH": str(spies)},
            cwd=tmp_path,
        )
        assert not called.exists(), f"cut at byte {cut}: {called.read_text(encoding='ascii')}"


@pytest.mark.parametrize("shell", ["dash", "bash", "busybox"])
def test_every_shell_reads_it(shell: str) -> None:
    """The script is POSIX: dash, bash and busybox's shell parse it."""
    command = ["busybox", "sh", "-n"] if shell == "busybox" else [shell, "-n"]
    try:
        said = subprocess.run([*command, SCRIPT], check=False, capture_output=True, text=True)
    except FileNotFoundError:
        pytest.skip(f"needs {shell}: run `apt-get install {shell}`")

    assert (said.returncode, said.stderr) == (0, "")


HOSTILE = {
    "galaxy.yml": "version: 6.6.6\n",
    "release/VERSION": "6.6.6\n",
    "bash": "# install.sh: install Kontain\n",
    "sh": "# install.sh: install Kontain\n",
}


@pytest.fixture
def open_folder(tmp_path: Path) -> Path:
    """Return a folder that everybody may write to, in which another user has put a false checkout."""
    folder = tmp_path / "open"
    (folder / "release").mkdir(parents=True)
    for name, text in HOSTILE.items():
        (folder / name).write_text(text, encoding="ascii")
    folder.chmod(0o1777)
    return folder


@pytest.mark.parametrize("shell", ["bash", "sh"])
@pytest.mark.parametrize("words", [(), ("-s", "--")])
def test_a_piped_script_uses_no_file_of_its_folder(
    shell: str, words: tuple[str, ...], open_folder: Path
) -> None:
    """Read from a pipe it installs its own release, whatever the working folder has."""
    said = subprocess.run(
        [shell, *words, *(["--version"] if words else [])],
        input=dist.install_script("1.2.3", KEY, "")
        .decode()
        .replace('main "$@"', 'main "${@:---version}"'),
        check=False,
        capture_output=True,
        text=True,
        cwd=open_folder,
    )
    assert (said.returncode, said.stdout, said.stderr) == (0, "1.2.3\n", "")


def test_a_script_in_an_open_folder_uses_no_file_of_it(open_folder: Path) -> None:
    """A release's script that was fetched to a folder such as /tmp installs its own release."""
    script = open_folder / "install.sh"
    script.write_bytes(dist.install_script("1.2.3", KEY, ""))
    said = run("--version", script=script)
    assert (said.returncode, said.stdout, said.stderr) == (0, "1.2.3\n", "")


def test_a_checkout_is_nobody_elses(open_folder: Path) -> None:
    """A checkout that everybody may write to is not run."""
    script = open_folder / "install.sh"
    script.write_bytes(SCRIPT.read_bytes())
    assert_error(run("--version", script=script), 5, f"chmod o-w {open_folder}")


def test_help_is_the_header() -> None:
    """--help prints the manual: every option that is parsed, and the documentation's address."""
    said = run("--help", nobody=True)

    parsed = set(
        re.findall(r"^\t\t(--[a-z-]+)\)", SCRIPT.read_text(encoding="utf-8"), re.MULTILINE)
    )
    assert said.returncode == 0
    assert {*parsed, "--engines", "--offline"} <= set(re.findall(r"--[a-z-]+", said.stdout))
    assert said.stdout.splitlines()[-2 if said.stdout.endswith("\n\n") else -1].startswith("Docu")
    assert "SPDX" not in said.stdout


def test_version_is_the_collections() -> None:
    """--version prints the version that galaxy.yml has."""
    galaxy = (ROOT / "galaxy.yml").read_text(encoding="utf-8")

    assert f"\nversion: {run('--version', nobody=True).stdout}" in galaxy


@pytest.mark.parametrize(
    ("arguments", "text"),
    [
        (["--bad"], "there is no option '--bad'"),
        (["install"], "there is no option 'install'"),
        (["--engines"], "the option --engines needs a value"),
        (["--engines", "lxc"], "--engines is 'lxc', wanted some of containerd,crio,docker,podman"),
        (["--engines", "crio,"], "--engines is 'crio,'"),
        (["--engines", ",crio"], "--engines is ',crio'"),
        (["--engines", "crio,,podman"], "--engines is 'crio,,podman'"),
        (["--engines", "crio podman"], "--engines is 'crio podman'"),
        (["--engines", "podman,*"], "--engines is 'podman,*'"),
        (["--engines=docker;id"], "--engines is 'docker;id'"),
        (["--engines", ""], "--engines is ''"),
        (["--offline"], "the option --offline needs a value"),
    ],
)
def test_wrong_usage_is_refused(arguments: list[str], text: str) -> None:
    """A wrong command line gets status 2, with the wrong word and the right one."""
    assert_error(run(*arguments, nobody=True), 2, text)


def test_missing_bundle_is_refused() -> None:
    """--offline with no such bundle ends with status 5 and names the file."""
    assert_error(run("--offline", "/nowhere.tar.gz", nobody=True), 5, "/nowhere.tar.gz")


@pytest.mark.parametrize("arguments", [[], ["--uninstall"], ["--dry-run"]])
def test_users_are_refused(arguments: list[str]) -> None:
    """A user who is not root hears of sudo; status 4."""
    assert_error(run(*arguments, nobody=True), 4, "sudo ./install.sh")


def test_an_error_is_json_on_request() -> None:
    """With --json, standard output is one object with the status and the error's two parts."""
    said = run("--json", "--engines", 'a"b\\c', nobody=True)

    outcome = json.loads(said.stdout)
    assert (outcome["status"], outcome["check"]) == (2, None)
    assert 'a"b\\c' in outcome["error"]["problem"]
    assert outcome["error"]["fix"] == "name the engines so"


def test_a_lonely_script_is_refused(tmp_path: Path) -> None:
    """A copy that lies in neither a checkout nor a bundle says so; status 5."""
    copy = tmp_path / "install.sh"
    copy.write_bytes(SCRIPT.read_bytes())
    tmp_path.chmod(0o755)

    assert_error(run("--version", script=copy), 5, "neither a checkout nor an unpacked bundle")


def test_the_oldest_ansible_is_the_collections() -> None:
    """install.sh takes a distribution's Ansible only where the collection supports it."""
    oldest = re.search(r"requires_ansible: '>=(.*)'", (ROOT / "meta/runtime.yml").read_text())
    assert oldest
    functions = SCRIPT.read_text(encoding="utf-8").removesuffix('{ main "$@"; }\n')
    assert f"OLDEST_ANSIBLE={oldest[1]}\n" in functions
    taken = []
    for version in ("2.14.18-0+deb12u2", "(none)", "", "2.15.0", "2.19.4-1", "2.9.27", "3.0"):
        done = subprocess.run(
            ["sh", "-s"],
            input=f'{functions}\nPATH={os.defpath}\nis_new_enough "{version}"\n',
            text=True,
            check=False,
        )
        taken += [version] if done.returncode == 0 else []
    assert taken == ["2.15.0", "2.19.4-1", "3.0"]
