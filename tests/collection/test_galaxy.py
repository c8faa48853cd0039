# SPDX-License-Identifier: Apache-2.0
"""Each form of `ansible-galaxy` that the documents show installs the collection."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from tests.sources import pack_sources

from .galaxy import serving

pytestmark = pytest.mark.slow


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """A git repository of these sources, of one commit on the branch main."""
    folder = tmp_path / "platform"
    folder.mkdir()
    subprocess.run(["tar", "-x", "-C", str(folder)], input=pack_sources(), check=True)
    for words in (
        ["init", "--quiet", "--initial-branch=main"],
        ["add", "--all", "--force"],
        [
            "-c",
            "user.name=n",
            "-c",
            "user.email=e@x",
            "commit",
            "--quiet",
            "--no-verify",
            "-m",
            "m",
        ],
    ):
        subprocess.run(["git", "-C", str(folder), *words], check=True)
    return folder


def install(environment: dict[str, str], place: Path, *words: str) -> str:
    """Call ansible-galaxy with WORDS; see that the collection's playbooks are found then."""
    environment = environment | {"ANSIBLE_COLLECTIONS_PATH": str(place)}
    done = subprocess.run(
        ["ansible-galaxy", *words], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    check = ["ansible-playbook", "--syntax-check", "kontain.platform.fleet", "-i", "one,"]
    said = subprocess.run(check, env=environment, capture_output=True, text=True, check=False)
    assert said.returncode == 0, said.stderr
    return done.stdout


def test_a_requirements_file_by_the_short_form(
    artifact: Path, ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """`ansible-galaxy install -r requirements.yml` installs collections, not only roles."""
    file = tmp_path / "requirements.yml"
    file.write_text(f"---\ncollections:\n  - name: {artifact}\n    type: file\n")
    install(ansible_environment, tmp_path / "here", "install", "-r", str(file))


def test_from_a_git_repository(
    repository: Path, ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """The repository is the collection: its address, and one in a requirements file, are enough."""
    address = f"git+file://{repository},main"
    install(ansible_environment, tmp_path / "one", "collection", "install", address)
    file = tmp_path / "requirements.yml"
    source = f"  - name: file://{repository}\n    type: git\n    version: main\n"
    file.write_text(f"---\ncollections:\n{source}")
    install(ansible_environment, tmp_path / "two", "install", "-r", str(file))


def test_from_a_galaxy_server(
    artifact: Path, ansible_environment: dict[str, str], tmp_path: Path
) -> None:
    """Where a Galaxy or an Automation Hub has it, the name is enough."""
    with serving(artifact) as url:
        words = ("collection", "install", "kontain.platform", "--server", url)
        said = install(ansible_environment, tmp_path / "one", *words)
        assert "kontain.platform:" in said
        file = tmp_path / "requirements.yml"
        file.write_text("---\ncollections:\n  - name: kontain.platform\n")
        words = ("install", "-r", str(file), "--server", url)
        install(ansible_environment, tmp_path / "two", *words)
