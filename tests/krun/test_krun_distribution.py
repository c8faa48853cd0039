# SPDX-License-Identifier: Apache-2.0
"""Debian's services, compilers and package managers do in a VM what they do without.

Each file services/NAME.sh starts one as its package does and asks it; NAME.txt is all that it
prints, on the bare backend and in a VM.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from .distribution import write_distribution
from .engines import Docker, Engine, Podman, PrivateHost, engine_with
from .support import PATIENCE, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

SCRIPTS = Path(__file__).parent / "services"
IMAGE = "krun-distribution:1"
SYSTEMD = {
    Docker: ("--tmpfs=/run", "--tmpfs=/run/lock", "--volume=/sys/fs/cgroup:/sys/fs/cgroup:ro",
             "--env=container=docker"),
    Podman: ("--systemd=always",),
}  # fmt: skip
"""What each engine's users give a container whose first program is systemd."""
UNITS = """
systemctl start ssh cron memcached nginx && systemctl is-active ssh cron memcached nginx
systemd-run --quiet --unit=mine --property=Restart=always --property=User=daemon sleep 1000
systemctl kill --signal=KILL mine
until systemctl show --property=NRestarts mine | grep -qx NRestarts=1; do sleep 0.1; done
systemctl show --property=NRestarts,User mine
systemctl stop mine; systemctl is-active mine; systemctl --failed --no-legend
"""


@pytest.fixture(
    scope="module", params=[(Podman, "crun"), (Docker, "runc")], ids=["podman-crun", "docker-runc"]
)
def engine(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    """Return a private engine that has the image."""
    kind, backend = request.param
    need_programs("mmdebstrap", "dockerd" if kind is Docker else "podman", backend)
    folder, archive = tmp_path_factory.mktemp("engine"), write_distribution()
    with engine_with(kind, PrivateHost(backend), folder, archive, IMAGE) as made:
        yield made


@pytest.mark.parametrize("name", sorted(path.stem for path in SCRIPTS.glob("*.sh")))
def test_service(engine: Engine, name: str) -> None:
    """Debian's package does the same in a VM as in a container: all its output and its status."""
    words = ["--rm", f"--volume={SCRIPTS}:/services:ro", IMAGE, "bash", f"/services/{name}.sh"]
    wanted = (SCRIPTS / f"{name}.txt").read_text()

    with ThreadPoolExecutor() as pool:
        theirs, ours = pool.map(
            lambda runtime: engine.container("run", *words, runtime=runtime),
            (engine.host.backend, "kontain"),
        )
    assert theirs.stdout == wanted, theirs.stderr
    assert ours.stdout == wanted, ours.stderr
    assert ours.returncode == theirs.returncode


def test_systemd(engine: Engine) -> None:
    """A container whose first program is systemd: it starts Debian's units, and again what was killed."""
    told = []
    for runtime in (engine.host.backend, "kontain"):
        options = ["--detach", *SYSTEMD[type(engine)], IMAGE, "/sbin/init", "--unit=basic.target"]
        container = engine.container("run", *options, runtime=runtime).stdout.strip()
        end = time.monotonic() + 60 * PATIENCE
        while engine("exec", container, "systemctl", "is-active", "basic.target").returncode:
            assert time.monotonic() < end, engine("logs", container).stdout
            time.sleep(0.5)
        told.append(engine("exec", container, "sh", "-c", UNITS).stdout)
        engine("rm", "--force", container)
    assert told[0] == "active\n" * 4 + "NRestarts=1\nUser=daemon\ninactive\n"
    assert told[1] == told[0]
