# SPDX-License-Identifier: Apache-2.0
"""The built collection, as a user gets it."""

from __future__ import annotations

import json
import posixpath
import subprocess
import tarfile
from pathlib import Path

import pytest

LINKED = ("preflight/kontain_preflight", "host/kontain_host")
SOURCES = ("Makefile", "install.sh", "km/Makefile", "krun/bin/krun", "toolchain/Makefile")
PYTHON = "ansible_python_interpreter=/usr/bin/python3"
NOT_SHIPPED = (".git", ".venv", ".ansible", "build", "molecule", "bench")


def test_no_link_dangles(artifact: Path) -> None:
    """Every link in the tarball points at a file in the tarball."""
    with tarfile.open(artifact) as tar:
        names = set(tar.getnames())
        links = [member for member in tar if member.issym()]
    ends = {
        posixpath.normpath(posixpath.join(posixpath.dirname(link.name), link.linkname))
        for link in links
    }

    assert ends <= names
    assert any(end.startswith(LINKED) for end in ends)


def test_tarball_has_the_sources_and_nothing_built(artifact: Path) -> None:
    """The sources of a release are shipped; builds and this machine's tools are not."""
    with tarfile.open(artifact) as tar:
        names = tar.getnames()

    assert set(SOURCES) <= set(names)
    assert not [name for name in names if name.split("/")[0] in NOT_SHIPPED]
    assert not [name for name in names if name.endswith(".pyc") or "__pycache__" in name]


def test_every_module_is_documented(installed: Path, ansible_environment: dict[str, str]) -> None:
    """ansible-doc shows every module, role and playbook's plugin of the installed collection."""
    modules = sorted(installed.glob("ansible_collections/kontain/platform/plugins/modules/*.py"))
    names = [f"kontain.platform.{module.stem}" for module in modules]
    said = subprocess.run(
        ["ansible-doc", "--json", *names],
        env=ansible_environment,
        check=True,
        capture_output=True,
        text=True,
    )

    documented = json.loads(said.stdout)
    assert sorted(documented) == names
    assert all(documented[name]["return"] and documented[name]["examples"] for name in names)


def test_a_requirements_file_installs_it(
    artifact: Path, ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """Named in a requirements file, the tarball is installed, and its playbooks are found."""
    requirements = tmp_path / "requirements.yml"
    requirements.write_text(f"collections:\n  - name: {artifact}\n    type: file\n", "utf-8")
    environment = ansible_environment | {"ANSIBLE_COLLECTIONS_PATH": str(tmp_path / "here")}
    galaxy = ["ansible-galaxy", "collection", "install", "--offline", "-r", str(requirements)]
    subprocess.run(galaxy, env=environment, check=True, stdout=subprocess.DEVNULL)

    for playbook in ("fleet", "install"):
        command = ["ansible-playbook", "--syntax-check", f"kontain.platform.{playbook}"]
        said = subprocess.run(
            [*command, "-i", "one,"], env=environment, check=False, capture_output=True, text=True
        )
        assert said.returncode == 0, said.stderr


@pytest.mark.parametrize("inventory", ["", "one,two,"])
def test_preflight_playbook_runs_from_the_artifact(
    inventory: str, ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """Without an inventory the playbook takes this host, and with one all of its hosts."""
    command = ["ansible-playbook", "kontain.platform.preflight", "-e", "ansible_become=false"]
    command += ["-i", inventory, "-c", "local", "-e", PYTHON] if inventory else []
    said = subprocess.run(
        command, cwd=tmp_path, env=ansible_environment, check=False, capture_output=True, text=True
    )

    hosts = inventory.strip(",").split(",") if inventory else ["localhost"]
    recap = said.stdout.partition("PLAY RECAP")[2]
    assert [line.split()[0] for line in recap.splitlines()[1:] if line] == hosts, said.stdout
    assert "unreachable=0" in recap
    if Path("/dev/kvm").exists():
        assert said.returncode == 0, said.stdout
    else:
        assert "/dev/kvm" in said.stdout
