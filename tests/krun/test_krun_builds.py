# SPDX-License-Identifier: Apache-2.0
"""Builds in VMs: RUN in a Dockerfile, under podman and by docker's BuildKit."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .distribution import write_distribution, write_newer_docker
from .engines import Docker, Engine, Podman, PrivateHost, PrivateRoot, engine_with
from .support import IN_A_VM, KRUN, PATIENCE, ROOT, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

SCRIPTS = Path(__file__).parent / "services"
IMAGE = "krun-distribution:1"


class BuildKit(PrivateRoot):
    """A system whose docker builds by BuildKit, and runs the steps by krun."""

    def __init__(self, folder: Path, archive: Path) -> None:
        """Unpack it below FOLDER."""
        root = folder / "root"
        root.mkdir()
        system = write_newer_docker()
        subprocess.run(["tar", "-xf", system, "-C", root, "--exclude=./dev/*"], check=True)
        (folder / "engine").mkdir()
        super().__init__("runc", root, ROOT, folder / "engine", archive.parent)

    def command(self, *words: str) -> list[str]:
        """Return the command that runs WORDS there, with what tells dockerd of krun."""
        return super().command("env", f"DOCKER_BUILDKIT_RUNC_COMMAND={KRUN}", *words)


@pytest.fixture(scope="module", params=["podman", "buildkit"])
def builder(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Return an engine that builds, with the image of a distribution."""
    need_programs("mmdebstrap", "podman", "crun")
    archive = write_distribution()
    folder = tmp_path_factory.mktemp("engine")
    if request.param == "podman":
        made = engine_with(Podman, PrivateHost("crun"), folder, archive, IMAGE)
    else:
        made = engine_with(Docker, BuildKit(folder, archive), folder / "engine", archive, IMAGE)
    with made as engine:
        yield engine


@pytest.mark.parametrize("name", ["compiler", "pip", "npm", "apt"])
def test_build(builder: Engine, name: str) -> None:
    """A project in C, a wheel, `npm ci` and a hundred packages: each is built by a step in a VM."""
    context = builder.folder / name
    context.mkdir()
    for kind in (".sh", ".txt"):
        (context / f"{name}{kind}").write_bytes((SCRIPTS / f"{name}{kind}").read_bytes())
    (context / "Dockerfile").write_text(
        f"FROM {IMAGE}\n"
        "COPY . /services/\n"
        f"RUN uname -r | tee /kernel && bash /services/{name}.sh >/out\n"
        f"RUN diff /out /services/{name}.txt\n"
    )
    words = [*builder.words("kontain"), "build", "--network=none", "-t", name, str(context)]
    done = subprocess.run(
        builder.host.command(*words), capture_output=True, text=True, timeout=300 * PATIENCE,
        stdin=subprocess.DEVNULL, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    made = builder.container("run", "--rm", name, "cat", "/kernel", "/out")
    kernel, *out = made.stdout.splitlines()
    assert kernel.endswith(IN_A_VM)
    assert out == (SCRIPTS / f"{name}.txt").read_text().splitlines()
