# SPDX-License-Identifier: Apache-2.0
"""Stressors of stress-ng, each of which makes a family of system calls in all its forms."""

import os
import re
import subprocess
from pathlib import Path

import pytest

from tests.folders import open_to_users

NOBODY = 65534

STRESSORS = (
    "access", "affinity", "aio", "aiol", "alarm", "atomic", "bad-altstack", "branch", "cap",
    "chmod", "chown", "close", "context", "copy-file", "daemon", "dekker", "dir", "dnotify", "dup",
    "dynlib", "enosys", "env", "eventfd", "exit-group", "fault", "fcntl", "fifo",
    "file-ioctl", "flock", "fork", "fp-error", "fsize", "full", "futex", "getdent", "getrandom",
    "handle", "hrtimers", "itimer", "kill", "lease", "locka", "lockf", "lockofd", "longjmp",
    "mlock", "mmapmany", "mprotect", "mq", "msg", "munmap", "mutex", "nanosleep", "null", "opcode",
    "open", "pidfd", "pipe", "pkey", "poll", "prctl", "priv-instr", "pthread", "regs", "rename",
    "revio", "schedpolicy", "seal", "seek", "sem-sysv", "sendfile", "set", "shm-sysv",
    "sigchld", "sigfd", "sigfpe", "signal", "sigpending", "sigq", "sigrt", "sigsegv", "sigsuspend",
    "sigtrap", "splice", "switch", "sysbadaddr", "tee", "timer", "touch", "tsc", "udp", "utime",
    "vdso", "vfork", "vm-splice", "wait", "x86syscall", "zombie",
)  # fmt: skip
"""Those that end soon and need no privilege; tracing, keys and Landlock are not in a VM."""

OPS = {"mutex": 2000}
"""How much each does, if not 10: a thread that ends first looks to this one like one that never was."""

pytestmark = [pytest.mark.needs_kvm, pytest.mark.usefixtures("kvm")]


def _run(stressor: str, folder: Path, monitor: "list[str]", fds: "list[int]") -> str:
    """The status of a run, and what it complained of."""
    done = subprocess.run(
        [*monitor, "/usr/bin/stress-ng", f"--{stressor}", "1", f"--{stressor}-ops", str(OPS.get(stressor, 10)),
         "--timeout", "5", "--verify", "--temp-path", folder],
        user=NOBODY, group=NOBODY, extra_groups=[], cwd=folder, pass_fds=fds,
        stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    said = [
        re.sub(r"\[\d+\] ", "", line)
        for line in (done.stdout + done.stderr).splitlines()
        if re.search(r"fail|error|skip|km:", line)
    ]
    return "\n".join([f"status {done.returncode}", *said])


@pytest.mark.needs_root
@pytest.mark.skipif(os.geteuid() != 0, reason="not root: run the tests as root")
@pytest.mark.parametrize("stressor", STRESSORS)
def test_stressor(stressor: str, km: Path, tmp_path: Path) -> None:
    """The stressor finds no fault in a VM that it does not find on the host."""
    if not Path("/usr/bin/stress-ng").exists():
        pytest.skip("stress-ng is missing: install the package stress-ng")
    open_to_users(tmp_path)
    tmp_path.chmod(0o777)
    kvm, program = os.open("/dev/kvm", os.O_RDWR), os.open(km, os.O_RDONLY)
    monitor = [f"/proc/self/fd/{program}", "--kvm-fd", str(kvm)]
    native = _run(stressor, tmp_path, [], [])
    found = _run(stressor, tmp_path, monitor, [kvm, program])
    os.close(kvm)
    os.close(program)
    assert found == native
