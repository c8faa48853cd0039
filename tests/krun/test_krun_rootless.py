# SPDX-License-Identifier: Apache-2.0
"""A user's own podman, without root: its containers in a VM behave as its containers without."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from .engines import DEBIAN, Podman, PrivateHost
from .support import FOREVER, IN_A_VM, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

UID, HOME, RUNTIME_DIR = 4321, "/run/alice", "/run/user/4321"
# A user with subordinate IDs, who may use KVM by a node of the namespace's own.
USER = f"""
echo 'alice:x:{UID}:{UID}::{HOME}:/bin/sh' >> /etc/passwd
echo 'alice:x:{UID}:' >> /etc/group
for kind in uid gid; do echo 'alice:300000:65536' > /etc/sub$kind; done
install -d -o {UID} -g {UID} -m 700 {HOME} {RUNTIME_DIR}
mknod -m 666 /run/kvm c 10 232
mount --bind /run/kvm /dev/kvm
"""


class UsersHost(PrivateHost):
    """A host of which only a user's commands are run, but for what closes it."""

    def script(self) -> str:
        """Return what makes the namespace private, and the user."""
        return super().script() + USER

    def command(self, *words: str) -> list[str]:
        """Return the command that runs WORDS as the user."""
        as_user = ["setpriv", f"--reuid={UID}", f"--regid={UID}", "--clear-groups"]
        home = ["env", f"HOME={HOME}", f"XDG_RUNTIME_DIR={RUNTIME_DIR}"]
        return super().command(*as_user, *home, *words)


@pytest.fixture(scope="module")
def podman() -> Iterator[Podman]:
    """Return a podman of a user's, which has no control groups."""
    need_programs("podman", "crun", "newuidmap", "setpriv")
    host = UsersHost("crun")
    try:
        with TemporaryDirectory() as folder:  # pytest's is its user's alone
            os.chown(folder, UID, UID)
            made = Podman(Path(folder), host)
            yield made
            made.close()
            made("system", "migrate")  # it ends the process that keeps the user's namespace
            host.close()
    finally:
        host.close()


ROWS: dict[str, tuple[list[str], str]] = {
    "root, who is the user": ([], "id; cat /proc/self/uid_map; ls -n /etc/passwd"),
    "user of the image": (
        ["--user=daemon"],
        "id; touch /etc/x; touch /tmp/x && stat -c %u /tmp/x",
    ),
    "user that no file names": (["--user=4242:7"], "id; touch /tmp/x && stat -c '%u %g' /tmp/x"),
    "user's own ID": (["--userns=keep-id"], "id -u; cat /proc/self/uid_map"),
    "capabilities": (["--cap-drop=all"], "grep Cap /proc/self/status; chown 1 /etc/passwd"),
    "owners": ([], "touch /x; chown 5:6 /x; stat -c '%u %g' /x; chown 70000 /x"),
    "read-only root": (["--read-only"], "touch /x; touch /tmp/x; echo $?"),
    "new device": ([], "perl -e 'print syscall(133, $n = q(/n), 0020666, 0x103), $!'"),
    "limits": (
        ["--ulimit=nproc=99:99", "--ulimit=as=300000000", "--ulimit=nofile=50:50"],
        "ulimit -u; ulimit -Hu; ulimit -v; ulimit -n",
    ),
    "init": (["--init"], "test $$ -gt 1; echo $?; cat /proc/1/comm | wc -l"),
    "terminal": (["-t"], "tty; stty size"),
    "name of the machine": (["--hostname=a.example.com"], "uname -n"),
    "status": ([], "exit 42"),
    "program that is not there": (["--entrypoint=/no/such"], ""),
    "file that may not run": (["--entrypoint=/etc/passwd"], ""),
}


@pytest.mark.parametrize("what", ROWS)
def test_report_of_a_user(podman: Podman, what: str) -> None:
    """A user's container has the same output and status in a VM and without."""
    options, script = ROWS[what]
    words = ["--rm", *options, DEBIAN, "sh", "-c", script]
    theirs = podman.container("run", *words, runtime="crun")
    ours = podman.container("run", *words)
    assert (ours.stdout, ours.returncode) == (theirs.stdout, theirs.returncode), ours.stderr
    assert theirs.stdout or theirs.returncode > 0, "the row shows nothing"


def test_volume_of_a_user(podman: Podman) -> None:
    """Files of a volume have the same owners in a VM, and what is made there is the user's."""
    volume = podman.folder / "volume"
    volume.mkdir(exist_ok=True)
    os.chown(volume, UID, UID)
    found = []
    for runtime in ("crun", "kontain"):
        script = f"stat -c '%u %g' /v; touch /v/{runtime} && cp /bin/true /v/t && /v/t && echo ran"
        words = ["--rm", f"--volume={volume}:/v", DEBIAN, "sh", "-c", script]
        done = podman.container("run", *words, runtime=runtime)
        found.append((done.stdout, (volume / runtime).stat().st_uid))
    assert found == [("0 0\nran\n", UID)] * 2


def test_life_of_a_users_container(podman: Podman) -> None:
    """A user starts a container, runs a program in it, reads its output, stops and removes it."""
    script = f"echo up; exec sleep {FOREVER}"
    container = podman.container("run", "-d", DEBIAN, "sh", "-c", script).stdout.strip()
    assert podman("exec", container, "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")
    assert podman("exec", "-u", "daemon", container, "id", "-un").stdout == "daemon\n"
    assert podman("logs", container).stdout == "up\n"
    assert podman("kill", container).returncode == 0
    assert podman("wait", container).stdout == "137\n"
    assert podman("rm", container).returncode == 0


def test_exec_in_a_users_container_that_changed_its_root(podman: Podman) -> None:
    """A user's `exec` sees the container's root, also where the first process has another."""
    program = f"chroot '/tmp' or die; sleep {FOREVER}"
    words = ["run", "-d", "--cap-add=SYS_CHROOT", DEBIAN, "perl", "-e", program]
    container = podman.container(*words).stdout.strip()
    podman("exec", container, "sh", "-c", "until [ /proc/1/root -ef /tmp ]; do sleep 0.1; done")
    done = podman("exec", container, "sh", "-c", "uname -r; ls -d /etc/passwd")
    assert done.stdout.endswith(f"{IN_A_VM}\n/etc/passwd\n"), done.stderr
    assert podman("rm", "--force", "--time=0", container).returncode == 0
