# SPDX-License-Identifier: Apache-2.0
"""The fixtures of krun's tests, and which tests this machine cannot run."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from .engines import Docker, Engine, Podman, PrivateHost
from .support import BUSYBOX, KM, KRUN, BundleFolder, Runtime, need_programs


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what this machine cannot do, and say how it could."""
    missing = {
        "needs_root": None if os.geteuid() == 0 else "run the tests as root",
        "needs_kvm": _missing_for_km(),
    }
    for item in items:
        for marker, reason in missing.items():
            if reason and item.get_closest_marker(marker):
                item.add_marker(pytest.mark.skip(reason=reason))


def _missing_for_km() -> str | None:
    if not os.access("/dev/kvm", os.R_OK | os.W_OK):
        return "/dev/kvm cannot be opened: see `kontain check`"
    for built in (KM, KRUN):
        if not built.exists():
            return f"{built} is missing: build it with `make km krun`"
    return None


@pytest.fixture(params=["runc", "crun"])
def krun(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Runtime]:
    """Return krun over each backend in turn; its running containers are removed."""
    need_programs(request.param)
    runtime = Runtime(request.param, tmp_path)
    yield runtime
    left = list(runtime.root.iterdir()) if runtime.root.exists() else []
    for container in left:
        runtime("delete", "--force", container.name)


@pytest.fixture
def bundle(tmp_path: Path) -> BundleFolder:
    """Return a bundle with busybox."""
    need_programs("runc")
    if not BUSYBOX.exists():
        pytest.skip("/bin/busybox is missing: install the Debian package busybox-static")
    return BundleFolder(tmp_path / "bundle")


@pytest.fixture(scope="session")
def payloads(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder with the tests' own payloads, built statically with musl."""
    need_programs("musl-gcc")
    folder = tmp_path_factory.mktemp("payloads")
    for source in (Path(__file__).parent / "payloads").glob("*.c"):
        target = folder / source.stem
        subprocess.run(["musl-gcc", "-static", "-O1", source, "-o", target], check=True)
    return folder


@pytest.fixture(
    scope="session",
    params=[(kind, backend) for kind in (Podman, Docker) for backend in ("runc", "crun")],
    ids=lambda pair: f"{pair[0].__name__.lower()}-{pair[1]}",
)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Return a private engine that uses krun over one backend."""
    kind, backend = request.param
    need_programs("dockerd" if kind is Docker else "podman", "runc", backend)
    if not BUSYBOX.exists():
        pytest.skip("/bin/busybox is missing: install the Debian package busybox-static")
    host = PrivateHost(backend)
    try:
        made: Engine = kind(tmp_path_factory.mktemp("engine"), host)
        yield made
        made.close()
    finally:
        host.close()
