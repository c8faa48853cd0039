# SPDX-License-Identifier: Apache-2.0
"""docker knows the runtime after a reload, forgets it without a restart, and keeps its file."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import pytest

from kontain_host import engines
from kontain_host.changes import Change
from kontain_host.engines import dockerd
from kontain_host.errors import HostError
from kontain_host.journal import Journal
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall, withdraw

from .fake_podman import podman_of
from .small_host import SmallHost, snapshot

CONFIG = "/etc/docker/daemon.json"
KRUN = "/opt/kontain/bin/krun"


def register(host: SmallHost, *, replace: bool = False, check: bool = False) -> Report:
    """Register the runtime in docker."""
    wish = engines.Registration(config=CONFIG, replace=replace)
    return perform(
        host, "docker", lambda report: engines.plan(host, "docker", report, wish), check=check
    )


def configure(host: SmallHost, text: str) -> Path:
    """Write docker's configuration and return where."""
    place = host.path(CONFIG)
    place.parent.mkdir(exist_ok=True)
    place.write_text(text)
    return place


@pytest.mark.parametrize(
    "text", ["", "{}", "\ufeff{}\n", ' {"debug" :true}\t\n', '{"runtimes":{}}']
)
def test_removal_restores_the_file_byte_for_byte(host: SmallHost, text: str) -> None:
    """Any file is the same after a removal, with its time."""
    place = configure(host, text)
    os.utime(place, (1000, 1000))
    before = snapshot(Path(host.root))
    assert register(host).changed
    assert not register(host).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before
    assert place.stat().st_mtime == 1000


def test_a_file_that_was_not_there_goes_again(host: SmallHost) -> None:
    """Without docker or its configuration, the file and its folder are made and removed."""
    before = snapshot(Path(host.root))
    report = register(host)
    assert report.warnings == ["docker is not on this host yet"]
    assert host.path(CONFIG).stat().st_mode & 0o777 == 0o644
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_a_link_to_the_file_stays_a_link(host: SmallHost) -> None:
    """Where daemon.json is a link, the file that it leads to is edited."""
    host.path("/opt/daemon.json").write_text("{}\n")
    host.path("/etc/docker").mkdir()
    host.path(CONFIG).symlink_to("/opt/daemon.json")
    before = snapshot(Path(host.root))
    register(host)
    assert host.path(CONFIG).is_symlink()
    assert "kontain" in host.path("/opt/daemon.json").read_text()
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_mode_and_owner_of_the_file_stay(host: SmallHost) -> None:
    """A configuration with secrets in it stays closed."""
    place = configure(host, "{}")
    place.chmod(0o600)
    register(host)
    assert place.stat().st_mode & 0o777 == 0o600
    withdraw(host, "docker")
    assert place.stat().st_mode & 0o777 == 0o600


def test_edits_in_between_survive(host: SmallHost) -> None:
    """Keys that an operator adds or changes stay as written; ours go."""
    place = configure(host, '{\n  "debug": true\n}\n')
    register(host)
    text = place.read_text().replace('"debug": true', '"debug": false,\n  "dns": [ "1.1.1.1" ]')
    place.write_text(text)
    assert uninstall(host).left == []
    assert place.read_text() == '{\n  "debug": false,\n  "dns": [ "1.1.1.1" ]\n}\n'


def test_a_default_runtime_of_ours_is_reset(host: SmallHost) -> None:
    """A default that names our runtime would stop dockerd from starting: it becomes the old one."""
    place = configure(host, '{"default-runtime": "runsc"}')
    register(host)
    place.write_text(place.read_text().replace('"runsc"', '"kontain"'))
    uninstall(host)
    assert place.read_text() == '{"default-runtime": "runsc"}'


def test_another_runtime_of_the_name_is_an_error(host: SmallHost) -> None:
    """A runtime "kontain" elsewhere is not taken over, and nothing is written."""
    place = configure(host, '{"runtimes": {"kontain": {"path": "/other"}}}')
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=f"with path '/other', wanted '{KRUN}'"):
        register(host)
    assert snapshot(Path(host.root)) == before
    assert register(host, replace=True).changed
    assert KRUN in place.read_text()
    place.write_text(place.read_text() + "\n")  # an edit, so that the way back is structural
    uninstall(host)
    assert place.read_text() == '{"runtimes": {"kontain": {"path": "/other"}}}\n'


def test_a_second_name_that_is_taken_is_left(host: SmallHost) -> None:
    """A foreign runtime "krun" stays as it is; "kontain" is enough."""
    place = configure(host, '{"runtimes": {"krun": {"path": "/usr/bin/krun"}}}')
    register(host)
    assert '"krun": {"path": "/usr/bin/krun"}' in place.read_text()
    assert f'"kontain": {{"path": "{KRUN}"}}' in place.read_text()


def test_check_mode_shows_the_new_file(host: SmallHost) -> None:
    """The difference is the whole text before and after; nothing is written."""
    configure(host, "{}\n")
    before = snapshot(Path(host.root))
    report = register(host, check=True)
    assert (report.diff[0]["before"], KRUN in report.diff[0]["after"]) == ("{}\n", True)
    assert snapshot(Path(host.root)) == before


def test_what_dockerd_refuses_is_not_written(host: SmallHost) -> None:
    """Where dockerd can validate, its verdict comes before the file is replaced."""
    place = configure(host, '{"debug": "yes"}')
    host.add_command("dockerd", 1, "debug must be a boolean")
    with pytest.raises(HostError, match="dockerd would refuse it: debug must be a boolean"):
        register(host)
    assert place.read_text() == '{"debug": "yes"}'
    host.add_command("dockerd", 125, "unknown flag: --validate")
    assert register(host).changed


def test_a_shim_is_no_docker(host: SmallHost) -> None:
    """Podman's command `docker` does not make this a host of docker."""
    host.add_command("docker")
    assert "docker" not in engines.present(host)


Start = Callable[..., dockerd.Dockerd]


@pytest.fixture
def start(host: SmallHost) -> Iterator[Start]:
    """Return what starts a dockerd of the host's configuration, with options, in a folder.

    Its name is short: sockets are in it.
    """
    program = shutil.which("dockerd")
    if program is None or os.geteuid() != 0:
        pytest.skip("needs root and dockerd: install the package docker.io, run with sudo")
    with contextlib.ExitStack() as processes:

        def run(*options: str, addresses: Sequence[str] = (), config: str = "") -> dockerd.Dockerd:
            folder = Path(tempfile.mkdtemp(prefix="d", dir="/tmp"))
            addresses = [*addresses, f"unix://{folder}/s"]
            command = [program, f"--config-file={config or host.path(CONFIG)}"]
            command += [word for address in addresses for word in ("-H", address)]
            command += ["--data-root", str(folder / "data"), "--exec-root", str(folder / "exec")]
            command += ["--pidfile", str(folder / "pid"), "--bridge=none", "--iptables=false"]
            command += ["--storage-driver=vfs", *options]
            with (folder / "log").open("w") as log:
                process = subprocess.Popen(command, stdout=log, stderr=log, cwd=host.root)
            processes.callback(_end, process, folder)
            return _wait_for(host, process, folder / "log")

        yield run


@pytest.fixture
def daemon(host: SmallHost, start: Start) -> dockerd.Dockerd:
    """Start a dockerd that has nothing but its configuration."""
    configure(host, '{\n  "debug": true\n}\n')
    return start()


def _end(process: subprocess.Popen[bytes], folder: Path) -> None:
    process.terminate()
    process.wait(timeout=120)
    subprocess.run(["umount", str(folder / "data")], capture_output=True, check=False)
    shutil.rmtree(folder)


def _wait_for(host: SmallHost, process: subprocess.Popen[bytes], log: Path) -> dockerd.Dockerd:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline and process.poll() is None:
        for found in dockerd.readers(host, CONFIG):
            if found.pid == process.pid and Path(found.socket).exists():
                with contextlib.suppress(HostError):
                    found.runtimes()
                    return found
        time.sleep(0.1)
    pytest.skip(f"needs a dockerd that starts here: {log.read_text()[-800:]}")


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("options", "why"),
    [
        (["--add-runtime", "mine=/usr/sbin/runc"], "was started with --add-runtime, which"),
        (
            ["--add-runtime=mine=/usr/sbin/runc", "--default-runtime=mine"],
            "was started with --add-runtime, --default-runtime, which",
        ),
        (["--max-concurrent-downloads=9"], "was started with --max-concurrent-downloads, which"),
        (["--default-runtime=io.containerd.runc.v2"], "was started with --default-runtime, which"),
    ],
)
def test_what_only_the_command_line_has_is_not_lost(
    host: SmallHost, start: Start, options: list[str], why: str
) -> None:
    """No reload, which would forget it or end dockerd: the file has the runtime for the next start."""
    configure(host, "{ }")
    before = snapshot(Path(host.root))
    daemon = start(*options)
    known, default = daemon.runtimes(), daemon.info()["DefaultRuntime"]
    report = register(host)
    assert report.changed
    assert "docker finds the runtime after its next start, not by a reload" in report.warnings[-1]
    assert why in report.warnings[-1]
    assert "kontain" in host.path(CONFIG).read_text()
    assert not register(host).changed
    assert uninstall(host).warnings == []
    assert (daemon.runtimes(), daemon.info()["DefaultRuntime"]) == (known, default)
    assert snapshot(Path(host.root)) == before
    register(host)
    again = start(*options)  # the next start has all
    assert {**again.runtimes(), **known, "kontain": KRUN} == again.runtimes()
    assert "docker forgets the runtime at its next start" in uninstall(host).warnings[0]
    assert again.info()["DefaultRuntime"] == default


@pytest.mark.needs_root
def test_a_default_of_the_command_line_is_warned_of(host: SmallHost, start: Start) -> None:
    """An operator made ours the default by an option: without ours docker would not start again."""
    configure(host, "{}")
    register(host)
    daemon = start("--default-runtime=kontain")
    warnings = uninstall(host).warnings
    assert "docker cannot start again: its default runtime is ours" in warnings[-1]
    assert daemon.info()["DefaultRuntime"] == "kontain"


@pytest.mark.needs_root
def test_a_name_that_is_an_option_is_taken(host: SmallHost, start: Start) -> None:
    """A runtime "kontain" of the command line is foreign, as one of the file would be."""
    place = configure(host, "{ }")
    start("--add-runtime", "kontain=/usr/sbin/runc")
    with pytest.raises(HostError, match="with path '/usr/sbin/runc', wanted"):
        register(host)
    assert place.read_text() == "{ }"


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("first", "then", "why"),
    [
        (
            '{"runtimes": {"mine": {"path": "/usr/sbin/runc"}}}',
            "{}",
            "has the runtimes mine, which",
        ),
        (
            '{"default-runtime": "mine", "runtimes": {"mine": {"path": "/usr/sbin/runc"}}}',
            '{"runtimes": {"mine": {"path": "/usr/sbin/runc"}}}',
            "has the default runtime mine, and",
        ),
        ('{"default-runtime": "io.containerd.runc.v2"}', None, "runs its default by a shim"),
    ],
)
def test_a_file_that_says_less_than_dockerd_has_is_not_loaded(
    host: SmallHost, start: Start, first: str, then: str | None, why: str
) -> None:
    """An edit that nobody loaded yet, and a shim that this version forgets: both wait for a start."""
    configure(host, first)
    daemon = start()
    configure(host, first if then is None else then)
    known = daemon.runtimes()
    assert why in register(host).warnings[-1]
    uninstall(host)
    assert daemon.runtimes() == known


MINE = '"mine": {"path": "/usr/sbin/runc", "runtimeArgs": ["--debug"]}'
CORPUS = {
    "none": None,
    "CRLF and tabs": b'{\r\n\t"debug": true,\r\n\t"labels": ["a=b"]\r\n}\r\n',
    "theirs is the default": f'{{"default-runtime":"mine","runtimes":{{{MINE}}}}}'.encode(),
    "no newline, odd blanks": f'{{ "runtimes" : {{ {MINE} }} ,\n"log-opts":{{"max-size":"1m"}} }}'.encode(),
    "letters of others": '{"labels": ["wo=überall \\u00fc"], "runtimes": {}}\n'.encode(),
}


@pytest.mark.needs_root
@pytest.mark.parametrize("name", list(CORPUS))
def test_nothing_of_theirs_is_lost(host: SmallHost, start: Start, name: str) -> None:
    """Dockerd knows ours and all of theirs, then theirs as before, and the file is byte for byte."""
    place, content = host.path(CONFIG), CORPUS[name]
    if content is not None:
        configure(host, "").write_bytes(content)
    else:
        place.parent.mkdir()
        place.write_text("{}")  # a file that --config-file names must be there at the start
    daemon = start()
    if content is None:
        place.unlink()
    before, known = snapshot(Path(host.root)), daemon.info()
    theirs = {one: daemon.runtimes()[one] for one in dockerd.others(daemon.runtimes())}
    assert register(host).warnings == ["docker is not on this host yet"]
    assert {**daemon.runtimes(), **theirs, "kontain": KRUN} == daemon.runtimes()
    uninstall(host)
    assert dockerd.others(daemon.runtimes()) == list(theirs)
    assert daemon.info()["DefaultRuntime"] == known["DefaultRuntime"]
    assert daemon.info()["Labels"] == known["Labels"]
    assert snapshot(Path(host.root)) == before


OPERATORS = """{
  "data-root": "/srv/docker",
  "default-address-pools": [ { "base": "10.200.0.0/16", "size": 24 } ],
  "insecure-registries": ["registry.example:5000", "10.0.0.7:5000"],
  "log-opts": { "max-size": "10m", "max-file": "3" },
  "live-restore": true
}
"""


def test_a_file_that_its_operator_goes_on_editing_keeps_their_hand(host: SmallHost) -> None:
    """With an edit between, registered and forgotten again, it has their lines and their edit alone.

    The before-image is of no use then: lists on a line of their own would stay spread over many.
    """
    place = configure(host, OPERATORS)
    register(host)
    theirs = ('"max-file": "3"', '"max-file": "5"')
    place.write_text(place.read_text().replace(*theirs))
    uninstall(host)
    assert place.read_text() == OPERATORS.replace(*theirs)


@pytest.mark.needs_root
def test_each_dockerd_of_a_file_is_told(host: SmallHost, start: Start) -> None:
    """Two that read one file, one by a relative path, with another address first: both know."""
    configure(host, "{}")
    one = start()
    two = start(addresses=["tcp://127.0.0.1:23799"], config=CONFIG.lstrip("/"))
    register(host)
    assert [daemon.runtimes().get("kontain") for daemon in (one, two)] == [KRUN, KRUN]
    uninstall(host)
    assert "kontain" not in {**one.runtimes(), **two.runtimes()}


@pytest.mark.needs_root
def test_a_dockerd_that_loses_a_runtime_is_named(host: SmallHost, start: Start) -> None:
    """Behind the first lock: a runtime lost by a reload is an error that names it."""
    configure(host, "{}")
    daemon = start("--add-runtime", "mine=/usr/sbin/runc")
    configure(host, f'{{"runtimes": {{"kontain": {{"path": "{KRUN}"}}}}}}')
    with pytest.raises(HostError, match=r"docker lost runtimes .* does not know mine any more"):
        daemon.reload({"kontain": KRUN})
    ended = dockerd.Dockerd(2**22 - 1, daemon.config, "/none")
    with pytest.raises(HostError, match="docker ended: its dockerd"):
        ended.runtimes()


def test_the_unit_says_what_a_docker_that_is_stopped_reads(host: SmallHost) -> None:
    """A drop-in file of systemd that gives another configuration file is followed."""
    shown = "ExecStart={ path=/usr/sbin/dockerd ; argv[]=/usr/sbin/dockerd --config-file=/etc/d.json ; }"
    host.add_command("systemctl", 0, shown)
    perform(host, "docker", lambda report: engines.plan(host, "docker", report))
    assert "kontain" in host.path("/etc/d.json").read_text()
    assert not host.path(CONFIG).exists()


@pytest.mark.needs_root
def test_a_running_dockerd_learns_and_forgets(host: SmallHost, daemon: dockerd.Dockerd) -> None:
    """No restart: the runtime is there after the reload, and gone after removal, also the last."""
    before = snapshot(Path(host.root))
    assert register(host).changed
    assert daemon.runtimes()["kontain"] == KRUN
    assert not register(host).changed
    uninstall(host)
    assert not {"kontain", "krun"} & set(daemon.runtimes())
    assert snapshot(Path(host.root)) == before
    assert next(iter(dockerd.readers(host, CONFIG)), None) == daemon


@pytest.mark.needs_root
def test_a_default_runtime_leaves_a_running_dockerd(
    host: SmallHost, daemon: dockerd.Dockerd
) -> None:
    """An operator made ours the default; after removal the daemon has its stock runtime again."""
    register(host)
    place = host.path(CONFIG)
    place.write_text(place.read_text().replace('"debug": true', '"default-runtime": "kontain"'))
    daemon.reload({"kontain": KRUN})
    assert daemon.info()["DefaultRuntime"] == "kontain"
    uninstall(host)
    assert daemon.info()["DefaultRuntime"] == "runc"
    assert "kontain" not in daemon.runtimes()
    assert place.read_text() == "{}\n"


@pytest.mark.needs_root
def test_a_runtime_that_dockerd_missed_is_loaded(host: SmallHost, daemon: dockerd.Dockerd) -> None:
    """The file is as wanted but the daemon does not know: a run reloads it, and says so."""
    config = configure(
        host, f'{{"runtimes": {{"kontain": {{"path": "{KRUN}"}}, "krun": {{"path": "{KRUN}"}}}}}}'
    )
    before = config.read_bytes()
    assert register(host, check=True).changed
    assert "kontain" not in daemon.runtimes()
    assert register(host).changed
    assert daemon.runtimes()["kontain"] == KRUN
    assert config.read_bytes() == before
    assert not register(host).changed


@pytest.mark.needs_root
def test_a_failure_after_the_reload_is_taken_back(
    host: SmallHost, daemon: dockerd.Dockerd
) -> None:
    """When a later step fails, the running daemon forgets the runtime again."""
    before = snapshot(Path(host.root))

    def plan(report: Report) -> list[Change]:
        wish = engines.Registration(config=CONFIG)
        host.path("/etc/containers").write_text("in the way")
        host.add_program("podman", podman_of(host, "podman version 4.3.1"))
        return [
            *engines.plan(host, "docker", report, wish),
            *engines.plan(host, "podman", report),
        ]

    with pytest.raises(HostError, match="/etc/containers"):
        perform(host, "both", plan)
    host.path("/etc/containers").unlink()
    host.path("/usr/bin/podman").unlink()
    assert not {"kontain", "krun"} & set(daemon.runtimes())
    assert snapshot(Path(host.root)) == before


@pytest.mark.needs_root
def test_a_dockerd_that_does_not_reload_is_named(host: SmallHost, daemon: dockerd.Dockerd) -> None:
    """A daemon that refuses its configuration leads to an error with what was wanted."""
    place = host.path(CONFIG)
    place.write_text('{"log-level": "no such level"}')
    quick = dockerd.Dockerd(daemon.pid, daemon.config, daemon.socket, patience_s=0.5)
    with pytest.raises(HostError, match=r"wanted \{'kontain': '/x'\}"):
        quick.reload({"kontain": "/x"})


@pytest.mark.needs_root
def test_containers_of_the_runtime_are_named(host: SmallHost, daemon: dockerd.Dockerd) -> None:
    """While a container runs by our runtime, uninstall names it and refuses; force continues."""
    runc, busybox = shutil.which("runc"), Path("/bin/busybox")
    if runc is None or not busybox.exists():
        pytest.skip("needs runc and a static busybox: install runc and busybox-static")
    wish = engines.Registration(path=runc, config=CONFIG)
    perform(host, "docker", lambda report: engines.plan(host, "docker", report, wish))
    name = _run_container(daemon, busybox)
    try:
        assert engines.containers(host, Journal(host)) == [f"docker container {name}"]
        with pytest.raises(HostError, match=f"docker container {name}"):
            uninstall(host)
        assert daemon.runtimes()["kontain"] == runc
        uninstall(host, force=True)
        assert "kontain" not in daemon.runtimes()
    finally:
        _docker(daemon, "rm", "-f", name)


def _run_container(daemon: dockerd.Dockerd, busybox: Path) -> str:
    image = Path(daemon.socket).parent / "image"
    (image / "bin").mkdir(parents=True)
    shutil.copy(busybox, image / "bin/busybox")
    archive = shutil.make_archive(str(image), "tar", image)
    _docker(daemon, "import", archive, "sleeper")
    options = ["-d", "--name", "asleep", "--runtime", "kontain", "--network", "none"]
    _docker(daemon, "run", *options, "sleeper", "/bin/busybox", "sleep", "60")
    return "asleep"


def _docker(daemon: dockerd.Dockerd, *arguments: str) -> None:
    command = ["docker", "-H", f"unix://{daemon.socket}", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    if done.returncode != 0:
        pytest.fail(f"{' '.join(command)}: {done.stderr}")
