# SPDX-License-Identifier: Apache-2.0
"""A limit that is too low for the monitor is named, with what it needs; nothing hangs or crashes."""

import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]

FAILED, CANNOT_RUN = 125, 126


def limited(km: Path, limits: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """The end of a payload that says hello, under LIMITS of bash's ulimit."""
    script = f'ulimit {limits} && exec "$@"'
    command = ["bash", "-c", script, "bash", str(km), *(words or ("/bin/echo", "hello"))]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize(
    ("limits", "status", "names"),
    [
        ("-d 2000", FAILED, "ulimit -d"),
        ("-d 6000", FAILED, "ulimit -d"),
        ("-d 12000", FAILED, "ulimit -d"),
        ("-v 2000", FAILED, "ulimit -v"),
        ("-v 5000", FAILED, "ulimit -v"),
        ("-v 8000 -d 100000", FAILED, "ulimit -v"),
        ("-s 16", FAILED, "ulimit -s"),
        ("-n 3", CANNOT_RUN, "ulimit -n"),
    ],
)
def test_low_limit_is_named(limits: str, status: int, names: str, km: Path) -> None:
    """The error says which limit it is, and there is no crash."""
    done = limited(km, limits)
    assert done.returncode == status, done
    assert names in done.stderr.splitlines()[-1]


@pytest.mark.parametrize("limits", ["-d 40000", "-s 64", "-S -s 100", "-n 20", "-f 0", "-t 5"])
def test_limit_that_is_enough_is_the_payloads(limits: str, km: Path) -> None:
    """With little more than km needs the payload runs, and has the limit that was set."""
    done = limited(km, limits)
    assert done.stdout == "hello\n", done.stderr
    option = limits.split()[-2]
    show = limited(km, limits, "/bin/bash", "-c", f"ulimit {option}")
    assert show.stdout.split() == limits.split()[-1:]


def as_user(km: Path, nproc: str, *words: str) -> "subprocess.CompletedProcess[str]":
    """The end of the payload WORDS of a user with no other process, who may have NPROC."""
    if os.geteuid() != 0:
        pytest.skip("it becomes another user: run it as root")
    kvm = os.open("/dev/kvm", os.O_RDWR)
    with tempfile.TemporaryDirectory() as open_to_all:  # pytest's is its user's alone
        Path(open_to_all).chmod(0o755)
        monitor = shutil.copy(km, open_to_all)
        done = subprocess.run(
            ["setpriv", "--reuid", "12346", "--clear-groups", "prlimit", f"--nproc={nproc}",
             monitor, "--kvm-fd", str(kvm), *words],
            capture_output=True, text=True, check=False, timeout=60, pass_fds=[kvm],
        )  # fmt: skip
    os.close(kvm)
    return done


FORK = "import os\ntry: print(os.waitpid(os.fork() or os._exit(7), 0)[1] >> 8)\nexcept OSError as e: print(e.strerror)"


@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("nproc", "answer"), [("2", "Resource temporarily unavailable"), ("2:4", "7"), ("4", "7")]
)
def test_fork_at_a_limit_fails_itself(nproc: str, answer: str, km: Path) -> None:
    """Where the child's VM could not begin, it is the fork that fails, and no child that ends."""
    done = as_user(km, nproc, "/usr/bin/python3", "-c", FORK)
    assert (done.stdout, done.stderr) == (f"{answer}\n", "")


@pytest.mark.needs_root
@pytest.mark.parametrize(("nproc", "status"), [("1", FAILED), ("1:2", 0)])
def test_limit_of_processes_ends_the_start(nproc: str, status: int, km: Path) -> None:
    """Without room for KVM's thread km gives up and says so; a soft limit is lifted for it."""
    done = as_user(km, nproc, "/bin/echo", "hello")
    assert done.returncode == status, done
    assert ("RLIMIT_NPROC" in done.stderr) == (status == FAILED)
