# SPDX-License-Identifier: Apache-2.0
"""Backends, engines and taken names, on machines that are made up."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from kontain_preflight.checks import CHECKS, run_checks
from kontain_preflight.engines import crio, docker, podman
from kontain_preflight.results import FAIL, PASS, SKIP, WARN, Result

from .made_up import ALICE, MadeUpHost

DAEMON_JSON = "/etc/docker/daemon.json"
OURS = "/opt/kontain/bin/krun"


def find(host: MadeUpHost, check: str) -> Result:
    """Return the result of one check."""
    (chosen,) = [each for each in CHECKS if each.id == check]
    return run_checks(host, [chosen]).results[0]


@pytest.fixture
def dockerd(host: MadeUpHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Let a daemon answer on the host's docker socket, which is not the client's version."""
    monkeypatch.delenv("DOCKER_HOST", raising=False)
    host.program("/usr/bin/docker", "Docker version 28.2.2, build e6534b4")
    host.program("/usr/sbin/dockerd", "")
    Path(host.place("/run")).mkdir()
    body = json.dumps({"Components": [{"Name": "Engine", "Version": "20.10.24"}], "Version": "x"})
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(host.place("/run/docker.sock"))
    listener.listen()

    def serve() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection:
                if connection.recv(1024):
                    connection.sendall(f"HTTP/1.0 200 OK\r\n\r\n{body}".encode())

    thread = threading.Thread(target=serve)
    thread.start()
    yield
    listener.shutdown(socket.SHUT_RDWR)
    listener.close()
    thread.join()


@pytest.mark.parametrize(
    ("mode", "programs", "status", "fits"),
    [
        ("v2", ["crun", "runc"], PASS, ["crun", "runc"]),
        ("v2", ["crun"], PASS, ["crun"]),
        ("v1", ["crun"], PASS, ["crun"]),
        ("v1", ["runc"], PASS, ["runc"]),
        ("hybrid", ["crun", "runc"], PASS, ["runc"]),
        ("hybrid", ["runc"], PASS, ["runc"]),
        ("hybrid", ["crun"], WARN, []),
    ],
)
def test_the_backend_fits_the_control_groups(
    host: MadeUpHost, mode: str, programs: list[str], status: str, fits: list[str]
) -> None:
    """Crun refuses control groups in hybrid mode; runc takes all."""
    host.mount(mode)
    for program in programs:
        host.program(f"/usr/bin/{program}", f"{program} version 1.8.1\nspec: 1.0.0")
    result = find(host, "backend")
    assert (result.status, result.details["fits"]) == (status, fits)
    assert result.details["versions"] == dict.fromkeys(programs, "1.8.1")


@pytest.mark.parametrize(("mode", "fit"), [("v2", "crun"), ("hybrid", "runc")])
def test_no_backend_says_how_to_get_one(host: MadeUpHost, mode: str, fit: str) -> None:
    """Before the installation a missing backend is a warning that names the one that fits."""
    host.mount(mode)
    host.program("/usr/bin/apt-get", "")
    result = find(host, "backend")
    assert result.status == WARN
    assert f"the installer brings {fit}" in result.cause
    assert f"`apt-get install {fit}`" in result.fix


def test_the_engines_that_are_there_are_listed(host: MadeUpHost) -> None:
    """An engine is there when its own program is; a docker client alone is none."""
    host.program("/usr/bin/docker", "Docker version 28.2.2")
    assert find(host, "engines").status == WARN
    host.program("/usr/bin/podman", "podman version 4.3.1")
    result = find(host, "engines")
    assert (result.status, result.details) == (PASS, {"engines": ["podman"]})


@pytest.mark.parametrize(
    ("version", "status"), [("1.9.3", WARN), ("3.0.1", PASS), ("5.4.2-dev", PASS), ("?", PASS)]
)
def test_podman_must_read_containers_conf(host: MadeUpHost, version: str, status: str) -> None:
    """An older podman is a warning with the version that is wanted."""
    host.program("/usr/bin/podman", f"podman version {version}")
    result = find(host, "engine-podman")
    assert result.status == status
    assert "running" not in result.details


def test_an_engine_that_is_not_there_is_skipped(host: MadeUpHost) -> None:
    """The reason names the program that was looked for."""
    result = find(host, "engine-crio")
    assert (result.status, result.found) == (SKIP, "there is no crio")


@pytest.mark.usefixtures("dockerd")
def test_a_running_docker_tells_its_own_version(host: MadeUpHost) -> None:
    """The daemon is asked, since its client may be of another version."""
    result = find(host, "engine-docker")
    assert result.status == PASS
    assert result.details["running"] is True
    assert result.details["version"] == "20.10.24"


def test_a_docker_that_does_not_run_tells_its_clients_version(host: MadeUpHost) -> None:
    """That is said, and is no failure."""
    host.program("/usr/bin/docker", "Docker version 28.2.2, build e6534b4")
    host.program("/usr/sbin/dockerd", "")
    result = find(host, "engine-docker")
    assert (result.status, result.details["running"]) == (PASS, False)
    assert "client version 28.2.2" in result.found


def test_an_engine_that_hangs_harms_no_other_check(
    host: MadeUpHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A program that never ends is killed; its check fails and says which program it was."""
    monkeypatch.setattr(MadeUpHost.run, "__kwdefaults__", {"stdin": None, "limit_s": 0.2})
    host.write("/usr/bin/podman", "#!/bin/sh\nsleep 60\n")
    result = find(host, "engine-podman")
    assert result.status == FAIL
    assert "podman --version` gave no answer" in result.found


@pytest.mark.parametrize(
    ("text", "status", "word"),
    [
        ("", PASS, "free"),
        ("  \n", PASS, "free"),
        ("{}", PASS, "free"),
        ('{"runtimes": {}}', PASS, "free"),
        ('{"runtimes": {"runsc": {"path": "/usr/bin/runsc"}}}', PASS, "free"),
        (json.dumps({"runtimes": {"kontain": {"path": OURS}}}), PASS, "registered"),
        ('{"runtimes": {"kontain": {"path": "/usr/bin/other"}}}', FAIL, "/usr/bin/other"),
        ('{"runtimes": {"kontain": {}}}', FAIL, OURS),
        ('{"runtimes": {"kontain": []}}', FAIL, OURS),
        ('{"runtimes": []}', FAIL, "runtimes"),
        ("[]", FAIL, "JSON object"),
        ("{", FAIL, "line 1 column 2"),
        ('{"runtimes": ', FAIL, "line 1"),
        ("[" * 100_000, FAIL, "RecursionError"),
    ],
)
def test_daemon_json_is_read_as_docker_reads_it(
    host: MadeUpHost, text: str, status: str, word: str
) -> None:
    """Our name must be free or ours, and a file that docker could not read is refused."""
    host.write(DAEMON_JSON, text)
    result = find(host, "docker-config")
    assert result.status == status
    assert word in result.found


def test_a_daemon_json_that_may_not_be_read_is_skipped(
    host: MadeUpHost, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another user's check does not fail for want of a right."""
    host.me = ALICE

    def read(_path: str) -> str:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(host, "read", read)
    result = docker.check_config(host)
    assert (result.status, result.fix) == (SKIP, "use sudo")


CONTAINERS_CONF = """
[containers]
log_driver = "journald"

[engine.runtimes]  # whatever
#kontain = ["/commented/out"]
krun = ["/usr/bin/krun"]
"kontain" = [
  "PATH",
]

[engine.volume_plugins] # another table
kontain = "/not/a/runtime"
"""


@pytest.mark.parametrize(
    ("path", "status"), [(OURS, PASS), ("/usr/bin/other", FAIL), ("/opt/kontain/bin/krun2", FAIL)]
)
def test_containers_conf_is_searched_for_the_name(
    host: MadeUpHost, path: str, status: str
) -> None:
    """A runtime of our name with another path is refused, in whatever form TOML writes it."""
    host.write("/etc/containers/containers.conf", CONTAINERS_CONF.replace("PATH", path))
    assert find(host, "podman-config").status == status


@pytest.mark.parametrize(
    "text",
    [
        '[engine]\nruntimes = { mine = ["/m"], kontain = ["/other"] } # theirs\n[network]\n',
        "[engine]\nruntime = 'mine'\nruntimes.kontain = ['/other']\n",
        '["engine"."runtimes"]\r\nmine = [\r\n "/m", # a ] bracket\r\n]\r\nkontain = ["/other"]\r\n',
    ],
)
def test_a_runtime_is_seen_however_it_is_written(host: MadeUpHost, text: str) -> None:
    """Inline tables, dotted keys, and comments with brackets in arrays."""
    host.write("/etc/containers/containers.conf", text)
    assert podman.runtimes(host)["kontain"] == ["/other"]


def test_the_last_drop_in_file_wins(host: MadeUpHost) -> None:
    """Files are read as containers.conf(5) says, and only those that end in .conf."""
    folder = "/etc/containers/containers.conf.d"
    host.write("/etc/containers/containers.conf", '[engine.runtimes]\nkontain = ["/a"]\n')
    host.write(f"{folder}/10.conf", "[engine.runtimes]\nkontain = ['/b']")
    assert podman.runtimes(host)["kontain"] == ["/b"]
    host.write(f"{folder}/20.conf", f'[engine.runtimes]\nkontain = ["{OURS}"]\n[engine]\n')
    host.write(f"{folder}/30.conf.bak", '[engine.runtimes]\nkontain = ["/c"]\n')
    assert podman.runtimes(host)["kontain"] == [OURS]
    assert find(host, "podman-config").status == PASS


def test_another_krun_is_a_warning(host: MadeUpHost) -> None:
    """Libkrun's krun keeps its name; a link of ours in PATH is no other program."""
    assert find(host, "name-krun").status == PASS
    host.write("/opt/kontain/versions/0.1.0/bin/krun", "")
    Path(host.place("/usr/local/bin")).mkdir(parents=True)
    Path(host.place("/usr/local/bin/krun")).symlink_to(
        host.place("/opt/kontain/versions/0.1.0/bin/krun")
    )
    assert find(host, "name-krun").status == PASS
    Path(host.place("/usr/local/bin/krun")).unlink()
    host.program("/usr/bin/krun", "")
    result = find(host, "name-krun")
    assert (result.status, result.details) == (WARN, {"path": "/usr/bin/krun"})


def test_docker_as_a_snap_is_a_warning(host: MadeUpHost) -> None:
    """A snap does not see the prefix."""
    assert find(host, "docker-snap").status == PASS
    host.write("/snap/docker/current/meta/snap.yaml", "name: docker\n")
    assert find(host, "docker-snap").status == WARN


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (
            b'HTTP/1.0 200 OK\r\n\r\n{"Runtimes":{"kontain":{"path":"/opt/kontain/bin/krun"}}}',
            PASS,
        ),
        (b'HTTP/1.0 200 OK\r\n\r\n{"Runtimes":{"runc":{"path":"runc"}}}', WARN),
        (b"", WARN),
        (b"/opt/kontain/bin/krun\n" * (1 << 18), WARN),
    ],
    ids=["knows", "does not", "silent", "endless"],
)
def test_rootless_docker_is_asked(host: MadeUpHost, answer: bytes, status: str) -> None:
    """The users whose own docker runs without the runtime are named; a hostile one is no harm."""
    Path(host.place("/run/user/1000")).mkdir(parents=True)
    Path(host.place("/run/user/1001")).mkdir(parents=True)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(host.place("/run/user/1001/docker.sock"))
        listener.listen()
        thread = threading.Thread(target=_answer, args=(listener, answer))
        thread.start()
        result = find(host, "docker-rootless")
        thread.join()
    assert (result.status, result.details) == (status, {"users": ["1001"]})


def _answer(listener: socket.socket, answer: bytes) -> None:
    connection, _ = listener.accept()
    with connection, contextlib.suppress(BrokenPipeError, ConnectionResetError):
        connection.recv(1000)
        connection.sendall(answer)


@pytest.mark.parametrize(
    ("variable", "path"),
    [
        ("unix:///run/other.sock", "/run/other.sock"),
        ("tcp://192.0.2.1:2375", "/run/docker.sock"),
        ("", "/run/docker.sock"),
    ],
)
def test_only_a_docker_of_this_host_is_asked(
    monkeypatch: pytest.MonkeyPatch, variable: str, path: str
) -> None:
    """DOCKER_HOST may name another socket, not another host."""
    monkeypatch.setenv("DOCKER_HOST", variable)
    assert docker.DOCKER.socket_path() == path
    assert crio.CRIO.socket_path() == "/run/crio/crio.sock"
