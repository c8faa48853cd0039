# SPDX-License-Identifier: Apache-2.0
"""Every example is built as its page says, and does what it is for, under load where it serves."""

from __future__ import annotations

import hashlib
import re
import shutil
import subprocess
import time
from pathlib import Path

import pytest
from krun_support import IN_A_VM, need_programs
from runenv_support import Host

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm, pytest.mark.slow]

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted(path.parent for path in (ROOT / "examples").glob("*/Dockerfile"))
SERVERS = [path.name for path in EXAMPLES if path.name.startswith("http-")]
COMPILERS = ("/opt/kontain/bin/gcc-kontain", "go build", "javac")
URL = "http://127.0.0.1:8080/"
START_TIMEOUT_S = 60
LOAD = ["wrk", "--threads", "1", "--connections", "8", "--duration", "3s", URL]


def build(host: Host, name: str, scratch: Path) -> Path:
    """Build an example in a copy of its folder, with the commands of its page; return the folder."""
    folder = scratch / name
    shutil.copytree(ROOT / "examples" / name, folder)
    page = (folder / "README.md").read_text()
    for line in page.splitlines():
        if any(compiler in line for compiler in COMPILERS) and not line.startswith("Of"):
            need_programs(*re.findall(r"\b(?:go|javac)\b", line)[:1])
            command = line.replace("/opt/kontain/bin", str(ROOT / "build/toolchain/bin"))
            subprocess.run(["sh", "-ec", command], cwd=folder, check=True)
    parent = re.search(
        r"^FROM localhost/kontain/(\S+)", (folder / "Dockerfile").read_text(), re.MULTILINE
    )
    if parent:
        host.load(parent[1])
    host.build(name, folder)
    return folder


def fetch(host: Host) -> str:
    """Return what the server in the private network answers, as soon as it does."""
    end = time.monotonic() + START_TIMEOUT_S
    command = host.engine.host.command("curl", "--silent", "--show-error", URL)
    while True:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode == 0 or time.monotonic() > end:
            return done.stdout + done.stderr
        time.sleep(0.2)


@pytest.mark.parametrize("name", SERVERS)
def test_server_answers_under_load(host: Host, name: str, tmp_path: Path) -> None:
    """A server answers, also many requests over eight connections, without an error."""
    need_programs("wrk", "curl")
    build(host, name, tmp_path)
    container = host.start(name)
    try:
        answer = fetch(host)
        assert answer.startswith("Hello from "), answer + host.engine("logs", container).stderr
        done = subprocess.run(
            host.engine.host.command(*LOAD), capture_output=True, text=True, check=True
        )
        count = re.search(r"(\d+) requests in", done.stdout)
        assert count, done.stdout
        assert int(count[1]) > 100, done.stdout
        assert "Socket errors" not in done.stdout, done.stdout
        assert "Non-2xx" not in done.stdout, done.stdout
        assert fetch(host) == answer
        print(name, done.stdout)
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


@pytest.mark.parametrize("folder", EXAMPLES, ids=lambda path: path.name)
def test_page_and_list_name_the_example(folder: Path) -> None:
    """Each example has a page that builds and runs it, and stands in the list."""
    page = (folder / "README.md").read_text()

    assert f"podman build --tag {folder.name} ." in page
    assert "podman --runtime kontain run " in page
    assert f"]({folder.name}/)" in (ROOT / "examples/README.md").read_text()
