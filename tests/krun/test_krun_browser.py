# SPDX-License-Identifier: Apache-2.0
"""A container with Debian's Chromium shows in a VM what it shows without."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.km import picture

from .distribution import write_browser
from .engines import Docker, Engine, Podman, PrivateHost, engine_with
from .support import need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

PAGE = Path(__file__).resolve().parents[1] / "km/browser/page.html"
IMAGE = "krun-browser:1"
NOBODY = "65534"
BROWSER = (
    "chromium", "--headless", "--no-sandbox", "--disable-gpu", "--user-data-dir=/tmp/data",
    "--window-size=400,300", "--virtual-time-budget=5000",
)  # fmt: skip
"""Engines' profiles leave a container's user no namespaces of its own for the browser's sandbox."""
COLOURS = {(30, 30): (204, 0, 0), (120, 120): (0, 0, 204), (300, 30): (255, 255, 255)}


@pytest.fixture(
    scope="module", params=[(Podman, "crun"), (Docker, "runc")], ids=["podman-crun", "docker-runc"]
)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Return a private engine that has the browser's image."""
    kind, backend = request.param
    need_programs("mmdebstrap", "dockerd" if kind is Docker else "podman", backend)
    folder, archive = tmp_path_factory.mktemp("engine"), write_browser()
    with engine_with(kind, PrivateHost(backend), folder, archive, IMAGE) as made:
        yield made


@pytest.mark.parametrize("user", ["0", NOBODY], ids=["root", "nobody"])
def test_browser(engine: Engine, user: str, tmp_path: Path) -> None:
    """The picture of a page with a canvas and WebAssembly, and its document, are those without a VM."""

    def show(runtime: str) -> tuple[bytes, str]:
        out = tmp_path / runtime
        out.mkdir()
        out.chmod(0o1777)
        (out / "page.html").write_bytes(PAGE.read_bytes())
        words = ["--rm", f"--user={user}", "--env=HOME=/tmp", f"--volume={out}:/out", IMAGE]
        for option in ("--screenshot=/out/shown.png", "--dump-dom"):
            done = engine.container(
                "run", *words, *BROWSER, option, "file:///out/page.html", runtime=runtime
            )
            assert done.returncode == 0, done.stderr[-2000:]
        return (out / "shown.png").read_bytes(), done.stdout

    for folder in (tmp_path, *tmp_path.parents[:3]):
        folder.chmod(0o755)
    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(show, (engine.host.backend, "kontain"))
    assert "WebAssembly says 42" in ours[1]
    shown = picture.decode(ours[0])
    assert {at: shown.pixel(*at) for at in COLOURS} == COLOURS
    assert ours == theirs
