# SPDX-License-Identifier: Apache-2.0
"""Services in VMs: published ports, an application of two services, images that are built."""

from __future__ import annotations

import subprocess
import time
from pathlib import Path

import pytest

from .engines import DEBIAN, Docker, Engine
from .images import SERVER
from .support import IN_A_VM, PATIENCE, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

ASK = "until exec 3<>/dev/tcp/web/80; do sleep 0.2; done; cat <&3; uname -r"
APPLICATION = """\
version: "2.4"
services:
  web:
    image: IMAGE
    command: ["perl", "-e", "SERVER"]
    ports: ["127.0.0.1:8082:80"]
    mem_limit: 256m
    stop_signal: SIGKILL
  ask:
    image: IMAGE
    depends_on: [web]
    command: ["bash", "-c", "ASK"]
"""


def answer_of(engine: Engine, port: int) -> str:
    """Return what the service behind PORT of the engine's host says, waiting until it does."""
    script = f"exec 3<>/dev/tcp/127.0.0.1/{port}; cat <&3"
    ask = engine.host.command("bash", "-c", script)
    end = time.monotonic() + 30 * PATIENCE
    answer = ""
    while not answer:
        assert time.monotonic() < end, f"port {port} does not answer"
        answer = subprocess.run(ask, capture_output=True, text=True, check=False).stdout
    return answer


def test_published_port(engine: Engine) -> None:
    """A service in a VM is reached by the port that the engine publishes."""
    done = engine("run", "-d", "-p", "8081:80", DEBIAN, "perl", "-e", SERVER)
    assert done.returncode == 0, done.stderr
    container = done.stdout.strip().splitlines()[-1]

    assert answer_of(engine, 8081).endswith(f"{IN_A_VM}\n")
    engine("rm", "--force", container)


def test_application_of_two_services(engine: Engine, tmp_path: Path) -> None:
    """A service asks another one by its name, both in VMs, and the host asks by a published port."""
    if not isinstance(engine, Docker):
        pytest.skip(
            "Debian's podman has no server for the names of services: see test_pod instead"
        )
    need_programs("docker-compose")
    text = APPLICATION.replace("SERVER", SERVER.replace("\\", "\\\\")).replace("ASK", ASK)
    (tmp_path / "app").mkdir()
    (tmp_path / "app/compose.yml").write_text(text.replace("IMAGE", DEBIAN))
    words = ["env", f"DOCKER_HOST={engine.socket}", "docker-compose"]
    words += ["-f", str(tmp_path / "app/compose.yml")]

    def compose(*more: str) -> subprocess.CompletedProcess[str]:
        command = engine.host.command(*words, *more)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
        )

    done = compose("up", "-d")
    try:
        assert done.returncode == 0, done.stderr
        assert answer_of(engine, 8082).endswith(f"{IN_A_VM}\n")
        assert engine("wait", "app_ask_1").stdout.strip() == "0"
        lines = engine("logs", "app_ask_1").stdout.splitlines()
        assert len(lines) == 2
        assert all(line.endswith(IN_A_VM) for line in lines)
    finally:
        assert compose("down").returncode == 0
    assert "app_ask_1" not in engine("ps", "-a").stdout


def test_image_is_built_in_a_vm(engine: Engine, tmp_path: Path) -> None:
    """RUN steps of a Dockerfile run in a VM, where the engine's default runtime is krun."""
    (tmp_path / "Dockerfile").write_text(f"FROM {DEBIAN}\nRUN uname -r > /made\n")
    command = [*engine.words("kontain"), "build", "--network=none", "-t", "built", str(tmp_path)]
    classic = ["env", "DOCKER_BUILDKIT=0"]  # buildkit brings its own runc
    done = subprocess.run(
        engine.host.command(*classic, *command),
        capture_output=True, text=True, timeout=120 * PATIENCE, check=False,
    )  # fmt: skip

    assert done.returncode == 0, done.stderr
    made = engine.container("run", "--rm", "built", "cat", "/made")
    assert made.stdout.endswith(f"{IN_A_VM}\n"), made.stderr
    engine("rmi", "--force", "built")
