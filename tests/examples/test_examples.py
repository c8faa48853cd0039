# SPDX-License-Identifier: Apache-2.0
"""Every example is built as its page says, and does what it is for, under load where it serves."""

from __future__ import annotations

import hashlib
import re
import shlex
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.krun.engines import Docker
from tests.krun.support import IN_A_VM, PATIENCE, need_programs
from tests.runenv.support import Host, ready_images

from .prepare import EXAMPLES, ROOT, parents, prepare

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

SERVERS = [path.name for path in EXAMPLES if path.name.startswith("http-")]
URL = "http://127.0.0.1:8080/"
START_TIMEOUT_S = 60 * PATIENCE
LOAD = [
    *("wrk", "--threads", "1", "--connections", "8", "--duration", "3s"),
    *("--timeout", f"{2 * PATIENCE:.0f}s", URL),
]


def build(host: Host, name: str, scratch: Path) -> Path:
    """Build an example in a copy of its folder, as its page says; return the folder."""
    folder = scratch / name
    if ready_images():  # a tree that was prepared elsewhere, for a host without compilers
        shutil.copytree(ROOT / "examples" / name, folder)
    else:
        prepare(name, folder)
    for parent in parents(folder):
        host.load(parent)
    host.build(name, folder)
    return folder


def fetch(host: Host) -> str:
    """Return what the server in the private network answers, as soon as it does, and does so well."""
    end = time.monotonic() + START_TIMEOUT_S
    command = host.engine.host.command("curl", "--silent", "--show-error", "--fail", URL)
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0 or time.monotonic() > end:
            return done.stdout + done.stderr
        time.sleep(0.2)


def put_under_load(host: Host) -> int:
    """Ask the server for some seconds, and return how many requests it answered, all of them well."""
    command = host.engine.host.command(*LOAD)
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    count = re.search(r"(\d+) requests in", done.stdout)
    assert count, done.stdout
    assert "Socket errors" not in done.stdout, done.stdout
    assert "Non-2xx" not in done.stdout, done.stdout
    return int(count[1])


@pytest.mark.parametrize("name", SERVERS)
def test_server_answers_under_load(host: Host, name: str, tmp_path: Path) -> None:
    """A server answers, also many requests over eight connections, without an error."""
    need_programs("wrk", "curl")
    build(host, name, tmp_path)
    container = host.start(name)
    try:
        answer = fetch(host)
        assert answer.startswith("Hello from "), answer + host.engine("logs", container).stderr
        assert put_under_load(host) > 100 / PATIENCE
        assert fetch(host) == answer
    finally:
        host.engine("rm", "--force", container)


def test_hello(host: Host, tmp_path: Path) -> None:
    """The smallest image says that it runs in a VM."""
    build(host, "hello-c", tmp_path)
    done = host.run("hello-c")

    assert done.stdout.startswith("Hello from Linux "), done.stderr
    assert done.stdout.rstrip().endswith(IN_A_VM)


def test_worker_pool(host: Host, tmp_path: Path) -> None:
    """Four processes share the work, and the sum is right."""
    build(host, "worker-pool", tmp_path)
    done = host.run("worker-pool")

    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("2262 primes below 20000, by 4 workers on ")
    assert done.stdout.rstrip().endswith(IN_A_VM)


def test_batch_over_a_volume(host: Host, tmp_path: Path) -> None:
    """A job reads files of a volume and writes others, as the user that the command names."""
    build(host, "batch-volume", tmp_path)
    data = tmp_path / "data"
    for name in ("in", "out"):
        (data / name).mkdir(parents=True)
    contents = {f"file{number}": b"x" * number * 9999 for number in range(20)}
    for name, content in contents.items():
        (data / "in" / name).write_bytes(content)
    done = host.run("--user=0:0", f"--volume={data}:/data", "batch-volume")

    assert done.stdout == "20 files\n", done.stderr
    wanted = {name: hashlib.sha256(one).hexdigest() + "\n" for name, one in contents.items()}
    assert {path.name: path.read_text() for path in (data / "out").iterdir()} == wanted


def compose(host: Host, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Call the composer of the engine in FOLDER; the tests' docker has no network but the private one."""
    text = (folder / "compose.yaml").read_text()
    if isinstance(host.engine, Docker):
        text = re.sub(r"^ +ports: .*\n", "", text, flags=re.MULTILINE)
        text = text.replace("redis://redis:", "redis://127.0.0.1:")
        text = text.replace(
            "    runtime: kontain\n", "    runtime: kontain\n    network_mode: host\n"
        )
        command = [f"DOCKER_HOST={host.engine.socket}", "docker-compose"]
    else:
        engine = shlex.join(host.engine.words("kontain"))
        (folder / "podman").write_text(f'#!/bin/sh\nexec {engine} "$@"\n')
        (folder / "podman").chmod(0o755)
        command = ["podman-compose", "--podman-path", str(folder / "podman")]
    (folder / "here.yaml").write_text(text)
    command = [*command, "--file", str(folder / "here.yaml"), *words]
    return subprocess.run(
        host.engine.host.command("env", f"--chdir={folder}", *command),
        capture_output=True,
        text=True,
        check=False,
        timeout=300 * PATIENCE,
    )


def what_runs(host: Host) -> str:
    """Return all containers, with the last words of each."""
    names = host.engine("ps", "--all", "--quiet").stdout.split()
    logs = [host.engine("logs", name) for name in names]
    listed = host.engine("ps", "--all", "--no-trunc").stdout
    return "\n".join([listed, *(one.stdout + one.stderr for one in logs)])


def test_composition_counts_its_visits_in_redis(host: Host, tmp_path: Path) -> None:
    """Two services come up together, find each other, and count every request under load once."""
    need_programs("wrk", "curl", "docker-compose", "podman-compose")
    folder = build(host, "compose-web-redis", tmp_path)
    try:
        started = compose(host, folder, "up", "--detach")
        assert started.returncode == 0, started.stdout + started.stderr
        answer = fetch(host)
        assert answer.startswith("Hello, visit "), answer + started.stderr + what_runs(host)
        first = int(answer.removeprefix("Hello, visit "))
        counted = put_under_load(host)
        last = int(fetch(host).removeprefix("Hello, visit "))
        # wrk does not count what it left unfinished at its end: at most one a connection.
        assert counted <= last - first - 1 <= counted + 8
        for container in host.engine("ps", "--quiet").stdout.split():
            form = (
                "{{.HostConfig.Runtime}}" if isinstance(host.engine, Docker) else "{{.OCIRuntime}}"
            )
            assert host.engine("inspect", "--format", form, container).stdout == "kontain\n"
    finally:
        ended = compose(host, folder, "down")
    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert host.engine("ps", "--all", "--quiet").stdout == ""


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_page_and_list_name_the_example(folder: Path) -> None:
    """Each example has a page that builds and runs it, and stands in the list."""
    page = (folder / "README.md").read_text()

    if (folder / "compose.yaml").exists():
        assert "docker-compose up --build" in page
    else:
        assert f"podman build --tag {folder.name} ." in page
        assert "podman --runtime kontain run " in page
    assert f"]({folder.name}/)" in (ROOT / "examples/README.md").read_text()
