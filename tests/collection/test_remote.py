# SPDX-License-Identifier: Apache-2.0
"""The module release on a host that is not the controller."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.sources import ROOT, built_sum

# Stands for ssh: the "other host" is this one, but every byte goes as it would over the network.
SSH = """#!/bin/sh
for command; do :; done
echo "$command" >>"$0.log"
exec sh -c "$command"
"""


@pytest.fixture
def remote(tmp_path: Path, ansible_environment: dict[str, str]) -> list[str]:
    """The command that runs a module over that ssh in check mode; needs its arguments."""
    ssh = tmp_path / "ssh"
    ssh.write_text(SSH, encoding="ascii")
    ssh.chmod(0o755)
    ansible_environment |= {
        "ANSIBLE_SSH_EXECUTABLE": str(ssh),
        "ANSIBLE_SSH_TRANSFER_METHOD": "piped",
        "ANSIBLE_REMOTE_TEMP": str(tmp_path / "remote"),
    }
    return ["ansible", "all", "-i", "far,", "-e", "ansible_python_interpreter=/usr/bin/python3"]


def run(
    remote: list[str], bundle: str, environment: dict[str, str]
) -> subprocess.CompletedProcess[str]:
    """Run the module on the bundle."""
    words = f"src={bundle} sha256={built_sum()}"
    module = ["-m", "kontain.platform.release", "-a", words, "--check"]
    return subprocess.run(
        [*remote, *module], env=environment, check=False, capture_output=True, text=True
    )


@pytest.mark.needs_root
def test_bundle_is_carried_to_the_host_and_removed(
    remote: list[str], ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """The controller's bundle reaches the host's temporary folder, is read there, and is gone."""
    bundle = next((ROOT / "build").glob("kontain-*-x86_64.tar.gz"), None)
    if bundle is None:
        pytest.skip("needs a bundle: run `make bundle`")

    said = run(remote, str(bundle), ansible_environment)

    assert said.returncode == 0, said.stdout
    assert '"changes": [' in said.stdout
    assert f"{tmp_path}/remote/" in (tmp_path / "ssh.log").read_text(encoding="utf-8")
    assert not list((tmp_path / "remote").iterdir())


@pytest.mark.needs_root
def test_a_bundle_that_nobody_vouches_for_is_refused(
    remote: list[str], ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """An unsigned bundle from outside of the collection's build is carried, judged and refused."""
    bundle = next((ROOT / "build").glob("kontain-*-x86_64.tar.gz"), None)
    if bundle is None:
        pytest.skip("needs a bundle: run `make bundle`")

    module = [
        "-m",
        "kontain.platform.release",
        "-a",
        f"src={bundle} prefix=/opt/nobody",
        "--check",
    ]
    said = subprocess.run(
        [*remote, *module], env=ansible_environment, check=False, capture_output=True, text=True
    )

    assert said.returncode != 0
    assert "cannot trust the bundle kontain-" in said.stdout
    assert "there is no key to judge it by" in said.stdout
    assert not list((tmp_path / "remote").iterdir())


def test_missing_bundle_is_named(remote: list[str], ansible_environment: dict[str, str]) -> None:
    """A bundle that the controller does not have ends with its path and what to give."""
    if not (ROOT / "build/bundle.sha256").is_file():
        pytest.skip("needs a bundle: run `make bundle`")
    said = run(remote, "/nowhere/kontain.tar.gz", ansible_environment)

    assert said.returncode != 0
    assert "cannot read the bundle /nowhere/kontain.tar.gz" in said.stdout
    assert "To fix:" in said.stdout
