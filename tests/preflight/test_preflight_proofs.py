# SPDX-License-Identifier: Apache-2.0
"""The proofs for real: km, krun and engines of this machine, with a release in a folder of its own."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kontain_preflight import containers, proof
from kontain_preflight.engines import podman
from kontain_preflight.engines.docker import DOCKER
from kontain_preflight.programs import Output
from kontain_preflight.results import FAIL, PASS, SKIP

from .made_up import MadeUpHost

ROOT = Path(__file__).resolve().parents[2]
BUILT = {
    "bin/km": "build/km/km",
    "bin/krun": "build/krun/bin/krun",
    "lib/krun.py": "krun/bin/krun",
    "share/hello.km": "build/hello.km",
}
PACKAGES = ("krun/src/krun", "preflight/kontain_preflight")

pytestmark = [
    pytest.mark.needs_kvm,
    pytest.mark.needs_root,
    pytest.mark.skipif(os.geteuid() != 0, reason="needs root: run the tests with sudo"),
    pytest.mark.skipif(
        not os.access("/dev/kvm", os.R_OK | os.W_OK), reason="no /dev/kvm: see `kontain check`"
    ),
]

Verify = Callable[..., "dict[str, Any]"]


@pytest.fixture(scope="module")
def prefix() -> Iterator[Path]:
    """Return the prefix of a release that was put together from the tree."""
    for source in BUILT.values():
        if not (ROOT / source).exists():
            pytest.skip(f"{source} is not built: run `make km hello`")
    with tempfile.TemporaryDirectory(prefix="kontain-test-") as folder:
        release = Path(folder) / "versions" / "0.0.1"
        for place, source in BUILT.items():
            (release / place).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(ROOT / source, release / place)
        for package in PACKAGES:
            shutil.copytree(ROOT / package, release / "lib/python" / Path(package).name)
        (release / "VERSION").write_text("0.0.1\n", encoding="utf-8")
        (Path(folder) / "current").symlink_to("versions/0.0.1")
        (Path(folder) / "bin").symlink_to("current/bin")
        yield Path(folder)


NAMESPACE = """
set -eu
mount --make-rprivate /
mount -t tmpfs none /var/lib/containers
mount --bind "$1" /etc/containers
if [ "${CONTAINERD_CONFIG-}" ]; then
    mount -t tmpfs none /etc/containerd
    cp "$CONTAINERD_CONFIG" /etc/containerd/config.toml
fi
shift
exec "$@"
"""


@pytest.fixture
def verify(prefix: Path, tmp_path: Path) -> Verify:
    """Return what runs `kontain verify` of the release where podman has the given configuration."""
    missing = [
        path for path in ("/etc/containers", "/var/lib/containers") if not Path(path).is_dir()
    ]
    if missing:
        pytest.skip(f"there is no {missing[0]}: install podman")
    shutil.copytree("/etc/containers", tmp_path / "containers")
    folder = tmp_path / "containers" / "containers.conf.d"
    folder.mkdir(exist_ok=True)
    for own in folder.glob("*kontain*"):  # this machine may be a Kontain host
        own.unlink()

    def run(runtime: str = "", **environment: str) -> dict[str, Any]:
        if runtime:
            text = f'[engine.runtimes]\nkontain = ["{runtime}"]\n'
            (folder / "50-kontain.conf").write_text(text, encoding="utf-8")
        code = "import sys; from kontain_preflight.cli import verify_main as m; sys.exit(m(['--json']))"
        library = prefix / "current" / "lib" / "python"
        command = ["unshare", "--mount", "sh", "-c", NAMESPACE, "sh", str(tmp_path / "containers")]
        command += ["/usr/bin/python3", "-c", code]
        done = subprocess.run(
            command,
            env={"PATH": os.environ["PATH"], "PYTHONPATH": str(library), **environment},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.stdout, done.stderr
        report = json.loads(done.stdout)
        assert report["release"] == "0.0.1"
        return {result["check"]: result for result in report["results"]}

    return run


def files_below(*folders: Path) -> set[Path]:
    """Return all that stands below folders."""
    return {path for folder in folders for path in folder.rglob("*")}


@pytest.fixture
def nothing_left() -> Iterator[None]:
    """See that a proof leaves no folder and no mount behind."""
    yield
    for folder in {tempfile.gettempdir(), containers._folder_for_programs()}:
        assert not list(Path(folder).glob("kontain-proof-*"))
    assert "kontain-proof-" not in Path("/proc/self/mountinfo").read_text(encoding="utf-8")


@pytest.mark.usefixtures("nothing_left")
def test_km_krun_and_podman_are_proved(verify: Verify, prefix: Path, tmp_path: Path) -> None:
    """Each runs the payload, which saw km's kernel; podman's configuration stays as it is."""
    if not shutil.which("podman"):
        pytest.skip("there is no podman: install the package podman")
    verify(f"{prefix}/bin/krun")
    before = files_below(tmp_path / "containers")
    results = verify(f"{prefix}/bin/krun")
    for check in ("proof-km", "proof-krun", "proof-podman"):
        assert results[check]["status"] == PASS, results[check]
        assert results[check]["details"]["release"].endswith(".kontain.KVM")
        assert results[check]["details"]["run_ms"] > 0
    assert files_below(tmp_path / "containers") == before


@pytest.mark.usefixtures("nothing_left")
def test_an_engine_that_does_not_know_kontain_is_skipped(verify: Verify) -> None:
    """An engine that Kontain was not registered with is no failure, and says how to do it."""
    if not shutil.which("podman"):
        pytest.skip("there is no podman: install the package podman")
    result = verify()["proof-podman"]
    assert result["status"] == SKIP
    assert "--engines podman" in result["fix"]


@pytest.mark.usefixtures("nothing_left")
def test_a_runtime_that_is_not_ours_fails_the_proof(verify: Verify) -> None:
    """A container outside a VM is no proof: podman's `kontain` here is runc itself."""
    runc = shutil.which("runc", path="/usr/sbin:/usr/bin")
    if not shutil.which("podman") or not runc:
        pytest.skip("there is no podman or no runc: install the packages podman and runc")
    result = verify(runc)["proof-podman"]
    assert result["status"] == FAIL
    assert "not in a virtual machine" in result["found"]


@pytest.fixture
def docker(prefix: Path, tmp_path: Path) -> Iterator[str]:
    """Return the socket of a dockerd of our own that knows Kontain's runtime."""
    dockerd = shutil.which("dockerd", path="/usr/sbin:/usr/bin")
    if not dockerd:
        pytest.skip("there is no dockerd: install the package docker.io")
    folder = Path(tempfile.mkdtemp(prefix="kontain-dockerd-"))
    configuration = {
        "bridge": "none",
        "data-root": f"{folder}/data",
        "exec-root": f"{folder}/exec",
        "hosts": [f"unix://{folder}/docker.sock"],
        "iptables": False,
        "pidfile": f"{folder}/pid",
        "runtimes": {"kontain": {"path": f"{prefix}/bin/krun"}},
        "storage-driver": "vfs",
    }
    (folder / "daemon.json").write_text(json.dumps(configuration), encoding="utf-8")
    with (tmp_path / "log").open("wb") as log:
        daemon = subprocess.Popen(
            [dockerd, "--config-file", folder / "daemon.json"], stdout=log, stderr=log
        )
        try:
            _wait_for(folder / "docker.sock", tmp_path / "log")
            yield f"{folder}/docker.sock"
        finally:
            daemon.terminate()
            daemon.wait(120)
            shutil.rmtree(folder)


def _wait_for(path: Path, log: Path) -> None:
    for _ in range(300):
        if path.exists():
            return
        time.sleep(0.1)
    pytest.fail(f"dockerd did not start:\n{log.read_text(encoding='utf-8')[-2000:]}")


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_docker_is_proved_and_left_as_it_was(verify: Verify, docker: str) -> None:
    """Docker runs the payload in a virtual machine; neither container nor image stays."""
    result = verify(DOCKER_HOST=f"unix://{docker}")["proof-docker"]
    assert result["status"] == PASS, result
    assert result["details"]["release"].endswith(".kontain.KVM")
    for listing in (["images", "--quiet"], ["ps", "--all", "--quiet"]):
        command = ["docker", "--host", f"unix://{docker}", *listing]
        assert subprocess.run(command, capture_output=True, check=True).stdout == b""


@pytest.mark.usefixtures("nothing_left")
def test_a_docker_without_apparmors_parser_is_told_what_it_lacks(host: MadeUpHost) -> None:
    """Words of docker 20.10 about a host with AppArmor without its package lead to that package."""
    said = (
        "docker: Error response from daemon: AppArmor enabled on system but the docker-default "
        "profile could not be loaded: running `apparmor_parser apparmor_parser --version` failed "
        'with output: \nerror: exec: "apparmor_parser": executable file not found in $PATH.\n'
    )
    host.program("/usr/bin/apt-get", "")
    result = proof._prove(host, lambda _: Output(125, "", said), DOCKER)
    assert (result.status, result.fix) == (FAIL, "run `apt-get install apparmor`")


def test_a_payload_that_hangs_is_ended(host: MadeUpHost, monkeypatch: pytest.MonkeyPatch) -> None:
    """A krun that never ends is killed with what it started, and its folder is removed."""
    host.write("/opt/kontain/current/VERSION", "0.1.0\n")
    host.write("/opt/kontain/current/share/hello.km", "")
    host.write("/opt/kontain/current/bin/krun", "#!/bin/sh\nsleep 61 & sleep 61\n")
    installed = MadeUpHost(host.folder, prefix="/opt/kontain")
    monkeypatch.setattr(containers, "RUN_LIMIT_S", 0.3)
    result = proof.prove_krun(installed)
    assert result.status == FAIL
    assert "gave no answer" in result.found


def test_a_folder_that_is_still_written_to_is_removed(host: MadeUpHost, tmp_path: Path) -> None:
    """A check waits for the work that an engine does for a moment after its end."""
    place = tmp_path / "proof"
    (place / "storage").mkdir(parents=True)
    writing = f"for i in $(seq 3000); do : >{place}/storage/$i; done"
    with subprocess.Popen(["sh", "-c", writing], stderr=subprocess.DEVNULL):
        containers._remove(host, place)
    assert not place.exists()


def test_limits_are_lowered_only_without_the_right_to_raise_them(host: MadeUpHost) -> None:
    """Podman gets limits of its own where the kernel would refuse its usual ones."""
    host.write("/proc/self/status", "Name:\tx\nCapEff:\t000001ffffffffff\n")
    assert podman._low_limits(host) == []
    host.write("/proc/self/status", "Name:\tx\nCapEff:\t000001fffeffffff\n")
    assert "nproc=1000:1000" in podman._low_limits(host)


@pytest.mark.parametrize(
    ("version", "option"), [("3.4.4", "--cni-config-dir"), ("5.4.2", "--network-config-dir")]
)
def test_podmans_network_files_stay_in_the_proofs_folder(
    host: MadeUpHost, version: str, option: str
) -> None:
    """The option has another name before podman 4.0."""
    host.program("/usr/bin/podman", f"podman version {version}")
    assert podman.network_option(host) == option


def test_a_late_cleanup_still_finds_its_folder(tmp_path: Path) -> None:
    """Files that podman's cleanup makes late are there before the folder's removal."""
    late = subprocess.Popen(["sh", "-c", 'sleep 0.3; mkdir "$0/late"', str(tmp_path)])
    podman._await_cleanup(str(tmp_path), 20)
    assert (tmp_path / "late").is_dir()
    late.wait()


@pytest.fixture
def containerd(prefix: Path) -> Iterator[dict[str, str]]:
    """Start a containerd of our own; return the variable that names it, and its configuration."""
    if not shutil.which("containerd") or not Path("/etc/containerd").is_dir():
        pytest.skip("there is no containerd: install the package containerd")
    folder = Path(tempfile.mkdtemp(prefix="kontain-containerd-"))
    table = '[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kontain'
    text = f"""version = 2
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/c.sock"
{table}]
  runtime_type = "io.containerd.runc.v2"
{table}.options]
  BinaryName = "{prefix}/bin/krun"
"""
    (folder / "config.toml").write_text(text, encoding="utf-8")
    with (folder / "log").open("wb") as log:
        daemon = subprocess.Popen(
            ["containerd", "--config", folder / "config.toml"], stdout=log, stderr=log
        )
        try:
            _wait_for(folder / "c.sock", folder / "log")
            yield {
                "CONTAINERD_ADDRESS": f"{folder}/c.sock",
                "CONTAINERD_CONFIG": f"{folder}/config.toml",
            }
        finally:
            daemon.terminate()
            daemon.wait(120)
            shutil.rmtree(folder)


@pytest.mark.slow
@pytest.mark.usefixtures("nothing_left")
def test_containerd_is_proved_and_left_as_it_was(
    verify: Verify, containerd: dict[str, str]
) -> None:
    """Containerd runs the payload in a virtual machine; nothing of that stays."""

    def traces() -> set[Path]:
        found = (os.walk(place) for place in ("/sys/fs/cgroup", "/run/containerd"))
        folders = (Path(path, name) for walk in found for path, names, _ in walk for name in names)
        return {folder for folder in folders if folder.name.startswith("kontain-proof-")}

    before = traces()
    results = verify(**containerd)
    result = results["proof-containerd"]
    assert result["status"] == PASS, results
    assert result["details"]["release"].endswith(".kontain.KVM")
    ask = ["ctr", "--address", containerd["CONTAINERD_ADDRESS"], "namespaces", "list", "--quiet"]
    assert b"kontain-proof" not in subprocess.run(ask, capture_output=True, check=True).stdout
    assert traces() <= before
