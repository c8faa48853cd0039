# SPDX-License-Identifier: Apache-2.0
"""The command `kontain image` says what is wrong, in two lines, and then has done nothing."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from .support import ROOT, builder


def kontain(*words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Call the command of this tree."""
    return subprocess.run(
        [ROOT / "command/bin/kontain", "image", *words],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "the following arguments are required: VERB"),
        (["build", "--load=podman"], "no image is named"),
        (["build", "cobol", "--load=podman"], "there is no image 'cobol'"),
        (["build", "base"], "neither --output nor --load says where the image shall go"),
        (["build", "base", "--load=rkt"], "invalid choice: 'rkt'"),
        (["build", "--package=../etc", "--load=podman"], "--package is '../etc'"),
        (["build", "--package=bash=bin/sh", "--load=podman"], "--package is 'bash=bin/sh'"),
        (["build", "--package=python3", "--load=podman"], "and not that of an image"),
        (["destroy"], "invalid choice: 'destroy'"),
    ],
)
def test_wrong_usage(words: list[str], said: str) -> None:
    """Wrong usage ends with status 2, and says what was found and what is wanted."""
    done = kontain(*words)

    assert done.returncode == 2
    assert said in done.stderr
    assert done.stderr.splitlines()[-1].startswith("To fix: ")


def test_list_names_the_images() -> None:
    """The images stand in a list, which needs no packages."""
    names = [line.split()[0] for line in kontain("list").stdout.splitlines()]

    assert names == ["base", "dynamic-base", "python3", "node", "java17"]


def test_host_without_apt_is_told_what_to_do(tmp_path: Path) -> None:
    """A host of another kind learns where to build the image instead."""
    (tmp_path / "python3").symlink_to("/usr/bin/python3")
    done = kontain("build", "base", f"--output={tmp_path}", PATH=str(tmp_path), XDG_CACHE_HOME="")

    assert done.returncode == 1
    assert "apt-get is not in PATH" in done.stderr
    assert "To fix: build the image on such a host" in done.stderr
    assert [path.name for path in tmp_path.iterdir()] == ["python3"]


def test_output_that_is_a_file(tmp_path: Path) -> None:
    """A file in the place of the output folder is named before anything is built, and stays."""
    (tmp_path / "file").write_text("mine")
    done = kontain("build", "base", f"--output={tmp_path}/file")

    assert done.returncode == 2
    assert f"{tmp_path}/file is a file, wanted a folder" in done.stderr
    assert (tmp_path / "file").read_text() == "mine"


def test_engine_that_does_not_answer(tmp_path: Path) -> None:
    """An image that an engine refuses is an error with the engine's last words."""
    builder()
    (tmp_path / "podman").write_text("#!/bin/sh\necho 'storage is full' >&2\nexit 125\n")
    (tmp_path / "podman").chmod(0o755)
    done = kontain("build", "base", "--load=podman", PATH=f"{tmp_path}:{os.environ['PATH']}")

    assert done.returncode == 1
    assert "cannot load localhost/kontain/base:latest into podman: storage is full." in done.stderr


def test_json(tmp_path: Path) -> None:
    """With --json the figures are one object; sizes are bytes and the sum is the file's."""
    builder()
    done = kontain("build", "base", "--json", f"--output={tmp_path}")
    (figures,) = json.loads(done.stdout)["images"]

    assert figures["packed"] == (tmp_path / "base.tar").stat().st_size
    assert figures["image"] == "localhost/kontain/base:latest"
    assert figures["packages"] == 4
