# SPDX-License-Identifier: Apache-2.0
"""The command `kontain` does on a real system what the library does, and says it."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.host.small_host import FILES, KONTAIN, ROOT, BundleMaker

Sandbox = Callable[..., subprocess.CompletedProcess[str]]

SNAPSHOT = """
import hashlib, os
print(sorted(os.listdir("/var/lib")))  # what is below belongs to programs that run
for top in ("/etc", "/opt", "/usr/local", "/var/lib/kontain"):
    for folder, folders, names in os.walk(top):
        for name in sorted(folders + names):
            path = os.path.join(folder, name)
            info = os.lstat(path)
            what = [info.st_size, info.st_mtime_ns]
            if os.path.islink(path):
                what = os.readlink(path)
            elif os.path.isdir(path):
                what = ""
            elif info.st_size < 100_000:  # larger ones are none of Kontain's
                with open(path, "rb") as file:
                    what = hashlib.sha256(file.read()).hexdigest()
            print(path, oct(info.st_mode), info.st_uid, info.st_gid, what)
"""


QUESTIONS = ("info", "why", "check", "verify", "support")
VERBS = (*QUESTIONS, "install", "plan", "apply", "rollback", "uninstall")


def kontain(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command of this checkout on this host."""
    return subprocess.run(
        [KONTAIN, *arguments], capture_output=True, text=True, check=False, timeout=60
    )


def test_help_ends_with_the_documentation() -> None:
    """Every verb explains itself and says where to read on."""
    for verb in ([], ["info"], *([verb] for verb in VERBS)):
        done = kontain(*verb, "--help")
        assert done.returncode == 0
        assert "https://github.com/kontainapp/platform" in done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize(
    "arguments", [[], ["nonsense"], ["info", "--nonsense"], ["install"], ["why", "a", "b"]]
)
def test_wrong_usage_is_status_2(arguments: list[str]) -> None:
    """A command line that means nothing gets two lines and the status 2."""
    done = kontain(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    first, second = done.stderr.splitlines()
    assert first.startswith("kontain: wrong usage: ")
    assert second.startswith("To fix: ")


def test_unknown_engines_are_named(make_bundle: BundleMaker) -> None:
    """An engine that Kontain does not know is wrong usage, and the known ones are named."""
    done = kontain(
        "install",
        str(make_bundle()),
        f"--key={make_bundle.key}",
        "--engines",
        "lxc,docker",
        "--dry-run",
    )
    assert done.returncode == 2
    assert (
        "in lxc: the engines that Kontain knows are containerd, crio, docker, podman"
        in done.stderr
    )


def test_a_user_may_look_but_not_change(make_bundle: BundleMaker) -> None:
    """Without root, `info` answers and `install` and `uninstall` end with the status 4."""
    if os.geteuid() != 0:
        pytest.skip("needs root to become another user: run the tests with sudo")
    if not all(folder.stat().st_mode & 0o001 for folder in Path(KONTAIN).parents):
        pytest.skip("this checkout is below a folder that only its owner enters: put it elsewhere")
    bundle = make_bundle()

    def as_nobody(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", KONTAIN]
        return subprocess.run(
            [*command, *arguments], capture_output=True, text=True, check=False, timeout=60
        )

    assert as_nobody("info").returncode == 0
    for arguments in (["install", str(bundle), "--engines=none"], ["uninstall", "--yes"]):
        done = as_nobody(*arguments)
        assert (done.returncode, done.stdout) == (4, "")
        assert "the user id is 65534, wanted 0 (root)" in done.stderr


@pytest.mark.needs_root
def test_install_and_uninstall_on_this_system(
    in_sandbox: Sandbox, make_bundle: BundleMaker, tmp_path: Path
) -> None:
    """Install, the questions, install again, uninstall: the system is as before."""
    bundle, damaged = make_bundle(), make_bundle("0.2.0")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    snapshot = tmp_path / "snapshot.py"
    snapshot.write_text(SNAPSHOT)
    script = f"""
        set -eu
        cd {tmp_path}
        python3 {snapshot} >before
        {KONTAIN} install {bundle} --key {make_bundle.key} --engines docker --dry-run --json >dry.json
        python3 {snapshot} | cmp before -
        {KONTAIN} install {bundle} --key {make_bundle.key} --engines docker --json >first.json
        {KONTAIN} install {bundle} --engines docker --json >second.json
        {KONTAIN} plan {bundle} --engines docker -o plan.json | grep '^0 steps to 0.1.0'
        {KONTAIN} apply plan.json | grep '^Nothing to change'
        {KONTAIN} rollback && exit 1
        {KONTAIN} support -o support.tar.gz --json >support.json
        {KONTAIN} info --json >info.json
        {KONTAIN} why /usr/local/bin/km --json >why.json
        {KONTAIN} why /opt/kontain/versions/0.1.0/bin/km
        {KONTAIN} why /etc/passwd && exit 1
        python3 {snapshot} >installed
        {KONTAIN} install {damaged} --key {make_bundle.key} && exit 1
        python3 {snapshot} | cmp installed -
        {KONTAIN} uninstall </dev/null && exit 1
        python3 {snapshot} | cmp installed -
        {KONTAIN} uninstall --yes
        python3 {snapshot} | cmp before -
        {KONTAIN} uninstall --yes
    """
    done = in_sandbox("sh", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    names = ("dry", "first", "second", "info", "why")
    read = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name in names}
    assert read["first"]["changed"] is True
    assert read["dry"]["changes"] == read["first"]["changes"]
    assert read["second"] == {
        "dry_run": False,
        "changed": False,
        "changes": [],
        "warnings": read["second"]["warnings"],
        "left": [],
    }
    assert read["info"]["version"] == "0.1.0"
    assert read["info"]["engines"]["docker"]["registered"] is True
    reasons = [(item["owner"], item["intact"]) for item in read["why"]["changes"]]
    assert reasons == [("release", True)] * 2  # the link, and the tree that it leads into
    assert "the programs of Kontain 0.1.0" in done.stdout
    assert "/etc/passwd is not Kontain's." in done.stdout
    assert "it does not end in a signed manifest" in done.stderr
    assert "cannot uninstall without consent" in done.stderr
    assert done.stdout.rstrip().endswith("Nothing to change.")


@pytest.mark.needs_root
def test_a_release_whose_km_cannot_run_here_is_refused(
    in_sandbox: Sandbox, make_bundle: BundleMaker
) -> None:
    """`kontain install` has the bundle's km run a program first, and refuses in km's words: status 3."""
    words = b"echo 'km: KVM refuses its own CPUID.' >&2; echo 'To fix: update the kernel.' >&2"
    km = b"#!/bin/sh\necho result=failed\n" + words + b"\nexit 125\n"
    bundle = make_bundle(files={**FILES, "bin/km": km})
    command = f"{KONTAIN} install {bundle} --key {make_bundle.key} --engines none"
    done = in_sandbox("sh", "-c", f"{command}; echo $?; ls -d /opt/kontain /var/lib/kontain")
    assert done.stdout == "3\n", done.stdout + done.stderr
    assert done.stderr.count("No such file or directory") == 2
    assert "this host cannot run Kontain: km: KVM refuses its own CPUID." in done.stderr
    assert "To fix: update the kernel." in done.stderr


def test_a_plan_is_not_written_through_a_link(make_bundle: BundleMaker, tmp_path: Path) -> None:
    """A link that another user put at the plan's place leads root's plan nowhere."""
    victim, link = tmp_path / "victim", tmp_path / "plan.json"
    victim.write_text("precious")
    link.symlink_to(victim)
    words = (str(make_bundle()), f"--key={make_bundle.key}", "--downgrade", "--engines=none")
    done = kontain("plan", *words, "-o", str(link))
    assert done.returncode == 1
    assert "cannot write the plan" in done.stderr
    assert victim.read_text() == "precious"


@pytest.mark.needs_root
def test_a_person_is_asked(in_sandbox: Sandbox, make_bundle: BundleMaker) -> None:
    """At a terminal, uninstall asks; "n" changes nothing and "y" continues."""
    script = f"""
        {KONTAIN} install {make_bundle()} --key {make_bundle.key} --engines none
        for answer in n y; do
            (sleep 1; echo $answer) | script -qec '{KONTAIN} uninstall' /dev/null
        done
        ls /opt/kontain
    """
    done = in_sandbox("sh", "-c", script)
    assert done.stdout.count("Remove Kontain from this host? [y/N]") == 2
    assert "nothing was uninstalled: the answer was 'n', wanted y" in done.stdout
    assert "cannot access '/opt/kontain'" in done.stderr


@pytest.mark.needs_root
def test_the_installed_command_can_remove_itself(
    in_sandbox: Sandbox, make_bundle: BundleMaker
) -> None:
    """`kontain uninstall` from the release works although its own files go."""
    parts = ("command/kontain_command", "host/kontain_host", "preflight/kontain_preflight")
    library = {
        f"lib/python/{place.relative_to((ROOT / part).parent)}": place.read_bytes()
        for part in parts
        for place in (ROOT / part).rglob("*.py")
    }
    command = Path(KONTAIN).read_bytes()
    bundle = make_bundle(files={**FILES, **library, "bin/kontain": command})
    done = in_sandbox(
        "sh",
        "-c",
        f"{KONTAIN} install {bundle} --key {make_bundle.key} --engines none >/dev/null && /usr/local/bin/kontain --version"
        " && /usr/local/bin/kontain uninstall --yes && ls -d /opt/kontain /usr/local/bin/kontain",
    )
    assert done.stdout.splitlines()[0] == "kontain 0.1.0"
    assert done.stderr.count("No such file or directory") == 2, done.stderr


def test_a_reader_who_leaves_is_no_error() -> None:
    """`kontain info | true` gives no stack trace."""
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as closed:
        done = subprocess.run(
            [KONTAIN, "info"], stdout=closed, stderr=subprocess.PIPE, text=True, check=False
        )
    assert "Traceback" not in done.stderr
