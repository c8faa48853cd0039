# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of the collection and of install.sh."""

from __future__ import annotations

import os
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest

from tests.sources import ROOT

from .sandbox import Sandbox, why_not


@pytest.fixture(scope="session")
def artifact(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's tarball, built once."""
    out = tmp_path_factory.mktemp("artifact")
    subprocess.run(
        ["ansible-galaxy", "collection", "build", "--output-path", out, ROOT],
        check=True,
        stdout=subprocess.DEVNULL,
    )
    return next(out.glob("kontain-platform-*.tar.gz"))


@pytest.fixture(scope="session")
def installed(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder for ANSIBLE_COLLECTIONS_PATH into which ansible-galaxy installed the tarball."""
    place = tmp_path_factory.mktemp("collections")
    command = ["ansible-galaxy", "collection", "install", "--offline", "-p", str(place)]
    subprocess.run([*command, str(artifact)], check=True, stdout=subprocess.DEVNULL)
    return place


@pytest.fixture
def ansible_environment(installed: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of an Ansible that has that collection and nothing else."""
    (tmp_path / "ansible.cfg").touch()
    own = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE")}
    return own | {
        "ANSIBLE_COLLECTIONS_PATH": str(installed),
        "ANSIBLE_CONFIG": str(tmp_path / "ansible.cfg"),
        "ANSIBLE_HOME": str(tmp_path / "ansible"),
        "ANSIBLE_LOCALHOST_WARNING": "false",
        "ANSIBLE_INVENTORY_UNPARSED_WARNING": "false",
        "XDG_CACHE_HOME": str(tmp_path / "cache"),
    }


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    """A copy of this system to change."""
    if why_not():
        pytest.skip(why_not())
    with closing(Sandbox()) as sandbox:
        yield sandbox
