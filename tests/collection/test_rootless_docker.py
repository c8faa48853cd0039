# SPDX-License-Identifier: Apache-2.0
"""A user's own docker, which runs rootless: the user registers the runtime, and no one else."""

from __future__ import annotations

import shutil
import subprocess
from contextlib import closing
from typing import Iterator

import pytest

from tests.sources import ROOT, built_sum

from .sandbox import WHOLE_INSTALL, Sandbox

NEEDED = ("dockerd", "rootlesskit", "newuidmap", "setpriv", "busybox")

pytestmark = [
    *WHOLE_INSTALL,
    *(
        pytest.mark.skipif(not shutil.which(name), reason=f"needs {name}: run `make deps`")
        for name in NEEDED
    ),
]

UID = 4321
HOME, RUNTIME_DIR = "/home/alice", f"/run/user/{UID}"
SOCKET = f"unix://{RUNTIME_DIR}/docker.sock"
CONFIG = f"{HOME}/.config/docker/daemon.json"
BEFORE = '{\n  "debug": true\n}\n'
AS_ALICE = (
    *("setpriv", f"--reuid={UID}", f"--regid={UID}", "--init-groups"),
    *("env", f"HOME={HOME}", f"XDG_RUNTIME_DIR={RUNTIME_DIR}", f"DOCKER_HOST={SOCKET}"),
)
# A user with subordinate ids, who may use KVM by a node of the sandbox's own; and a folder of an image.
PREPARE = f"""
set -e
useradd --uid {UID} --user-group --create-home --home-dir {HOME} alice
install -d -o alice -g alice -m 700 {RUNTIME_DIR}
mknod -m 666 /run/kvm c 10 232
mount --bind /run/kvm /dev/kvm
mkdir -p {HOME}/.config/docker {HOME}/image/bin
printf '%s' '{BEFORE}' > {CONFIG}
cp "$(command -v busybox)" {HOME}/image/bin/busybox
tar -C {HOME}/image -cf {HOME}/image.tar .
chown -R alice:alice {HOME}
"""
DOCKERD = (
    *("rootlesskit", "--net=host", "--copy-up=/etc", "--copy-up=/run", "dockerd", "--rootless"),
    *("--bridge=none", "--iptables=false", "--storage-driver=vfs", "-H", SOCKET),
)


@pytest.fixture(scope="module")
def host() -> Iterator[Sandbox]:
    """A Kontain host whose user alice runs a docker of her own; the tests are its story."""
    with closing(Sandbox()) as sandbox:
        for command in (
            ["sh", "-c", PREPARE],
            [
                f"{ROOT}/command/bin/kontain",
                "install",
                "--engines",
                "none",
                *bundle(),
                "--sha256",
                built_sum(),
            ],
        ):
            done = sandbox.run(*command)
            assert done.returncode == 0, done.stderr
        sandbox.start_dockerd(*DOCKERD, user=AS_ALICE)
        yield sandbox


def bundle() -> list[str]:
    """Return the release that this tree was built to."""
    return [str(path) for path in (ROOT / "build").glob("kontain-[0-9]*-x86_64.tar.gz")]


def alice(host: Sandbox, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command as the user."""
    return host.run(*AS_ALICE, *command)


def kontain(host: Sandbox, *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command `kontain` of the installed release as the user."""
    return alice(host, "/opt/kontain/bin/kontain", *arguments)


def configuration(host: Sandbox) -> str:
    """Return what the user's daemon.json holds."""
    return host.run("cat", CONFIG).stdout


def check(host: Sandbox) -> str:
    """Return what the check of rootless dockers says."""
    lines = host.run("/opt/kontain/bin/kontain", "check", "--no-proof").stdout.splitlines()
    return next(line for line in lines if "docker-rootless" in line)


def test_the_check_names_the_user_and_the_command(host: Sandbox) -> None:
    """Before, `kontain check` warns of this docker."""
    assert check(host).startswith("warn")
    assert str(UID) in check(host)


def test_an_ordinary_user_changes_no_engine_of_the_hosts(host: Sandbox) -> None:
    """Podman's drop-in is root's: status 4, and nothing is changed."""
    said = kontain(host, "register", "podman", "docker")
    assert said.returncode == 4, said.stderr
    assert "an ordinary user has a configuration of their own for docker only" in said.stderr
    assert configuration(host) == BEFORE


def test_dry_run_changes_nothing(host: Sandbox) -> None:
    """--dry-run names the user's own file, and leaves it."""
    said = kontain(host, "register", "docker", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert CONFIG in said.stdout
    assert configuration(host) == BEFORE


def test_containers_run_in_vms_after_registration(host: Sandbox) -> None:
    """No restart and no root: the runtime is there, and `run` and `exec` are in a VM."""
    said = kontain(host, "register", "docker")
    assert said.returncode == 0, said.stderr
    assert check(host).startswith("pass")

    assert alice(host, "docker", "import", f"{HOME}/image.tar", "image").returncode == 0
    words = ["--name", "sleeper", "--runtime", "kontain", "image", "/bin/busybox"]
    started = alice(host, "docker", "run", "-d", *words, "sleep", "1000")
    assert started.returncode == 0, started.stderr
    inside = alice(host, "docker", "exec", "sleeper", "/bin/busybox", "uname", "-r")
    assert ".kontain.KVM" in inside.stdout, inside.stderr


def test_a_second_registration_changes_nothing(host: Sandbox) -> None:
    """The same command again finds nothing to do."""
    assert "Nothing to change" in kontain(host, "register", "docker").stdout


def test_a_container_that_runs_is_in_the_way(host: Sandbox) -> None:
    """While it runs, the runtime stays; status 7."""
    said = kontain(host, "unregister", "docker")
    assert said.returncode == 7, said.stderr
    assert "sleeper" in said.stderr
    assert alice(host, "docker", "rm", "-f", "sleeper").returncode == 0


def test_root_registers_what_the_installation_left_out(host: Sandbox) -> None:
    """Root's verbs are about the host's engines, and undo themselves too."""
    before = host.changes()
    done = host.run("/opt/kontain/bin/kontain", "register", "docker", "podman")
    assert done.returncode == 0, done.stderr
    daemon_json = host.run("cat", "/etc/docker/daemon.json").stdout
    assert "/opt/kontain/bin/krun" in daemon_json
    done = host.run("/opt/kontain/bin/kontain", "unregister", "docker", "podman", "--force")
    assert done.returncode == 0, done.stderr
    after = {path: change for path, change in host.changes().items() if path not in before}
    assert not [path for path in after if path.startswith("/etc")]


def test_an_uninstallation_warns_of_the_user(host: Sandbox) -> None:
    """Root hears whose docker will still name the runtime."""
    said = host.run("/opt/kontain/bin/kontain", "uninstall", "--dry-run")
    assert said.returncode == 0, said.stderr
    assert f"the docker of uid {UID} still has the runtime" in said.stderr


def test_all_is_as_it_was_after_removal(host: Sandbox) -> None:
    """The file is the same byte for byte, docker has forgotten the runtime, and no journal is left."""
    said = kontain(host, "unregister", "docker")
    assert said.returncode == 0, said.stderr
    assert configuration(host) == BEFORE
    assert "kontain" not in alice(host, "docker", "info").stdout
    assert host.run("test", "-e", f"{HOME}/.local/state/kontain").returncode == 1
