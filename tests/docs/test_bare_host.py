# SPDX-License-Identifier: Apache-2.0
"""The README's way from a Debian with its base system alone to a container in a VM, and back."""

import shutil
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.collection.sandbox import WHOLE_INSTALL, Sandbox
from tests.krun.distribution import write_base
from tests.sources import pack_sources

from .blocks import find_blocks
from .test_docs import CLONE, PREPARE, ROOT, run

pytestmark = WHOLE_INSTALL


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sandbox]:
    """A fresh system, with a clone of the sources and this machine's way to package servers."""
    if not shutil.which("mmdebstrap"):
        pytest.skip("needs the Debian package mmdebstrap")
    root = tmp_path_factory.mktemp("bare")
    subprocess.run(["tar", "-x", "-p", "-C", root, "-f", write_base()], check=True)
    shutil.copytree("/etc/apt/apt.conf.d", root / "etc/apt/apt.conf.d", dirs_exist_ok=True)
    shutil.copyfile("/etc/resolv.conf", root / "etc/resolv.conf")
    with closing(Sandbox(base=root)) as sandbox:
        prepared = sandbox.run("sh", "-ec", PREPARE, input=pack_sources(), text=False)
        assert prepared.returncode == 0, prepared.stderr
        for name in ("python3", "gcc", "make", "podman", "git"):
            assert sandbox.run("sh", "-c", f"command -v {name}").returncode, name
        yield sandbox


def test_the_readme_leads_from_a_bare_host_to_a_container(bare: Sandbox) -> None:
    """Each command that needs no docker runs as written, prints what the page says, and undoes it."""
    for block in find_blocks(ROOT / "README.md", ROOT):
        if block.reason or block.commands.startswith("docker "):
            continue
        ran = run(bare, block.commands)
        assert ran.returncode == 0, f"{block.page}:{block.line}:\n{block.commands}\n{ran.stdout}"
        assert block.prints(ran.stdout), f"{block.page}:{block.line}: printed\n{ran.stdout}"
    assert not (Path(bare.upper) / "opt/kontain").exists()
    assert (Path(bare.upper) / CLONE[1:] / "build").is_dir()
