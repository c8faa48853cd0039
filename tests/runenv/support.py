# SPDX-License-Identifier: Apache-2.0
"""Helpers of the tests of images and examples: images built once, and engines that have them."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

from kontain_host.errors import HostError
from kontain_runenv.build import PREFIX, Builder, Image, cache_folder
from kontain_runenv.recipes import RECIPES, package_recipe
from tests.krun.engines import Docker, Engine, Podman, PrivateHost
from tests.krun.support import need_programs

ROOT = Path(__file__).resolve().parents[2]
BUILD_TIMEOUT_S = 300


def ready_images() -> Path | None:
    """Return the folder of images that were built elsewhere, NAME.tar, for a host that builds none."""
    folder = os.environ.get("KONTAIN_TEST_IMAGES")
    return Path(folder) if folder else None


@cache
def builder() -> Builder:
    """Return the builder of this run of the tests; without packages the test is skipped."""
    need_programs("apt-get", "dpkg-deb")
    try:
        return Builder()
    except HostError as error:
        if (cache_folder() / "updated").exists():
            raise
        pytest.skip(f"no packages can be had: {error}")


@cache
def image(name: str) -> Image:
    """Return an image, built once; NAME is a recipe's, or that of a package with one program."""
    return builder().build(RECIPES[name] if name in RECIPES else package_recipe(name))


def _archive(name: str) -> bytes:
    ready = ready_images()
    return (ready / f"{name}.tar").read_bytes() if ready else image(name).archive


class Host:
    """One private engine, and calls for containers of the runtime."""

    def __init__(self, engine: Engine, folder: Path) -> None:
        """Keep where archives are written to."""
        self.engine = engine
        self._folder = folder
        self._loaded: set[str] = set()

    def load(self, name: str) -> str:
        """Make an image known to the engine, and return its name there."""
        if name not in self._loaded:
            path = self._folder / f"{name}.tar"
            path.write_bytes(_archive(name))
            done = self.engine("load", "--input", str(path))
            assert done.returncode == 0, done.stderr
            path.unlink()
            self._loaded.add(name)
        return f"{PREFIX}/{name}"

    def build(self, tag: str, folder: Path) -> None:
        """Build the Dockerfile in FOLDER."""
        done = self.engine("build", "--tag", tag, str(folder))
        assert done.returncode == 0, done.stdout + done.stderr

    def run(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run a container, which is removed at its end, in the private network."""
        return self.engine(*self._words("--rm", *words))

    def start(self, *words: str) -> str:
        """Start a container in the private network, and return its ID."""
        done = self.engine(*self._words("--detach", *words))
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def _words(self, *words: str) -> list[str]:
        runtime = ["--runtime=kontain"] if isinstance(self.engine, Docker) else []
        return ["run", *runtime, "--net=host", *words]


def make_host(kind: str, folder: Path) -> Iterator[Host]:
    """Yield a private engine of KIND, podman or docker, and end it."""
    need_programs("dockerd" if kind == "docker" else "podman", "runc")
    os.environ["DOCKER_BUILDKIT"] = "0"  # BuildKit needs a part that distributions do not have
    host = PrivateHost("auto")
    try:
        engine = (Docker if kind == "docker" else Podman)(folder, host)
        yield Host(engine, folder)
        engine.close()
    finally:
        host.close()


def why_no_container() -> str:
    """Return why no container can run in a VM here, or nothing."""
    if os.geteuid() != 0:
        return "private engines need root: run `sudo make test-runenv`"
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm cannot be opened: see `kontain check`"
    if not (ROOT / "build/km/km").exists():
        return "km is missing: run `make km`"
    return ""
