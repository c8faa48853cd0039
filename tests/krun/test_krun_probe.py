# SPDX-License-Identifier: Apache-2.0
"""Whether programs can run here is asked of km itself, once for each km, kernel and boot."""

from __future__ import annotations

import ctypes
import errno
import json
import os
import struct
import subprocess
from pathlib import Path

import pytest

from tests.folders import open_to_users

from .engines import IMAGE, Engine
from .support import ID, IN_A_VM, KM, KRUN, PATIENCE, BundleFolder, Runtime, need_programs

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

KVM_CREATE_VM = 0xAE01
OWN_RUN = "mount -t tmpfs -o mode=755 tmpfs /run\n"
STAMP = "/run/kontain/probed"
BACKENDS = "/usr/bin/crun /usr/sbin/crun /usr/bin/runc /usr/sbin/runc"


def fail_ioctl(request: int, error: int) -> None:
    """Have the host's kernel answer ioctl REQUEST by ERROR, for this process and its children."""
    load_number, load_request, answer, allow = 0, 24, 0x00050000 | error, 0x7FFF0000
    code = [
        (0x20, 0, 0, load_number),
        (0x15, 0, 3, 16),  # ioctl
        (0x20, 0, 0, load_request),
        (0x15, 0, 1, request),
        (0x06, 0, 0, answer),
        (0x06, 0, 0, allow),
    ]
    program = b"".join(struct.pack("HBBI", *line) for line in code)
    text = ctypes.create_string_buffer(program)
    head = struct.pack("HxxxxxxP", len(code), ctypes.addressof(text))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(22, 2, head, 0, 0):  # PR_SET_SECCOMP, a filter
        raise OSError(ctypes.get_errno(), "prctl")


def on_a_host(
    krun: Runtime, script: str, *words: str, error: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run the shell's SCRIPT, whose "$@" is krun with WORDS, where /run is empty and its own.

    With ERROR that is what KVM answers there when it is asked for a machine.
    """
    view = ["unshare", "-m", "--propagation", "private", "sh", "-ec", OWN_RUN + script, "sh"]
    return subprocess.run(
        [*krun.before, *view, str(KRUN), *krun.words, *words],
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=120 * PATIENCE,
        check=False,
        preexec_fn=(lambda: fail_ioctl(KVM_CREATE_VM, error)) if error else None,
    )


def probes(krun: Runtime, bundle: BundleFolder, before: str, *between: str) -> list[int]:
    """Return how often km is probed by each run: after the commands BEFORE, and each of BETWEEN."""
    need_programs("strace")
    logs = [krun.root.parent / f"log{i}" for i in range(len(between) + 1)]
    steps = zip((before, *between), logs, strict=True)
    script = "".join(f'{step}\nstrace -qq -f -e execve -o {log} "$@"\n' for step, log in steps)
    done = on_a_host(krun, script, "run", "-b", bundle.args("uname", "-r"), ID)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(IN_A_VM) == len(logs)
    return [log.read_text().count('"--probe"') for log in logs]


@pytest.mark.parametrize("error", [errno.EPERM, errno.EACCES, errno.ENOENT, errno.ENOTDIR])
def test_host_where_no_program_runs(krun: Runtime, bundle: BundleFolder, error: int) -> None:
    """It is refused in km's words, without those that engines take for a payload's, and left clean."""
    km = subprocess.run(
        [KM, "--probe"],
        capture_output=True,
        text=True,
        check=False,
        preexec_fn=lambda: fail_ioctl(KVM_CREATE_VM, error),
    )
    why, fix = (line.rstrip(".") for line in km.stderr.splitlines())
    log = bundle.path / "log"
    in_log = ["--log", str(log), "--log-format=json"]
    for verb, status in (("run", 125), ("create", 1)):
        log.unlink(missing_ok=True)
        script = f'status=0; "$@" || status=$?; [ ! -e {STAMP} ] || status=9; exit $status'
        done = on_a_host(krun, script, *in_log, verb, "-b", bundle.args("true"), ID, error=error)
        assert done.returncode == status, done.stderr
        name = errno.errorcode[error]
        told, remedy = done.stderr.splitlines()
        assert told.startswith("krun: no program runs in a virtual machine here: km: ")
        assert why.replace(os.strerror(error), name) in told
        assert remedy.startswith("To fix: ")
        assert fix.replace(os.strerror(error), name) in remedy
        assert json.loads(log.read_text())["msg"] + "\n" == done.stderr
        assert os.strerror(error).lower() not in done.stderr.lower()
        left = [path for path in krun.root.parent.glob("state*") if list(path.iterdir())]
        assert left == []


def test_engine_on_a_host_where_no_program_runs(engine: Engine, tmp_path: Path) -> None:
    """Under an engine the container is refused in km's words, and not as a program that is missing."""
    km = tmp_path / "km"
    km.write_text(
        "#!/bin/sh\necho 'km: KVM is odd: No such file or directory.' >&2\n"
        "echo 'To fix: mend it.' >&2\necho result=failed\nexit 125\n"
    )
    km.chmod(0o755)
    subprocess.run(engine.host.command("mount", "--bind", str(km), str(KM)), check=True)
    try:
        done = engine.container("run", "--rm", IMAGE, "true")
    finally:
        subprocess.run(engine.host.command("umount", str(KM)), check=True)
    assert "no program runs in a virtual machine here: km: KVM is odd: ENOENT" in done.stderr
    assert "To fix: mend it." in done.stderr
    assert done.returncode in (125, 126)


def test_good_answer_is_kept(krun: Runtime, bundle: BundleFolder) -> None:
    """The second container does without the probe; the folder is for all to read, by any umask."""
    look = f'[ "$(stat -c %a:%u /run/kontain {STAMP} | xargs)" = "755:0 600:0" ]'
    assert probes(krun, bundle, "umask 077", look) == [1, 0]


STALE = {
    "another boot": f"sed -i 's/^boot ./boot x/' {STAMP}",
    "another kernel": f"sed -i 's/^kernel ./kernel x/' {STAMP}",
    "another km": f"cp {KM} /run/km; mount --bind /run/km {KM}",
    "KVM anew": "cp -a /dev/kvm /run/kvm; mount --bind /run/kvm /dev/kvm",
    "cut off": f"truncate -s -1 {STAMP}",
    "more in it": f"echo >>{STAMP}",
    "another's": f"chown 65534 {STAMP}",
    "others write it": f"chmod 666 {STAMP}",
    "a link": f"mv {STAMP} /run/x; ln -s /run/x {STAMP}",
    "a pipe": f"rm {STAMP}; mkfifo {STAMP}",
}


@pytest.mark.parametrize("change", STALE.values(), ids=STALE.keys())
def test_stamp_of_something_else(krun: Runtime, bundle: BundleFolder, change: str) -> None:
    """A stamp that is not of this km, KVM and boot, or that another user can have made, is replaced."""
    assert probes(krun, bundle, "", change, f"[ -f {STAMP} ] && [ ! -L {STAMP} ]") == [1, 1, 0]


FOLDERS = {
    "others write it": "chmod 777 /run/kontain",
    "its group writes it": "chmod 775 /run/kontain",
    "another's": "chown 65534 /run/kontain",
    "a link": "mv /run/kontain /run/x; ln -s x /run/kontain",
    "a file": "rm -r /run/kontain; touch /run/kontain",
    "its name taken": f"rm {STAMP}; mkdir {STAMP}",
}


@pytest.mark.parametrize("change", FOLDERS.values(), ids=FOLDERS.keys())
def test_folder_that_is_not_roots_alone(krun: Runtime, bundle: BundleFolder, change: str) -> None:
    """Where another user could make a stamp, or none can be made, each container is probed."""
    assert probes(krun, bundle, "", change, "") == [1, 1, 1]


@pytest.mark.parametrize("variable", ["XDG_RUNTIME_DIR=/run/own", ""])
def test_user_has_a_stamp_below_xdg_runtime_dir(
    krun: Runtime, bundle: BundleFolder, variable: str
) -> None:
    """A user's create keeps the answer below XDG_RUNTIME_DIR, and without one keeps none."""
    need_programs("strace", "setpriv")
    path = bundle.args("true")
    open_to_users(bundle.path)
    os.chown(krun.root.parent, 65534, 65534)
    user = f"setpriv --reuid 65534 --regid 65534 --clear-groups env -i {variable}"
    logs = [krun.root.parent / f"log{i}" for i in range(2)]
    script = "install -d -o 65534 -m 700 /run/own\n"
    script += "cp -a /dev/kvm /run/kvm; chmod 666 /run/kvm; mount --bind /run/kvm /dev/kvm\n"
    script += f"for x in {BACKENDS}; do [ ! -e $x ] || mount --bind /bin/true $x; done\n"
    script += "".join(f'strace -qq -f -e execve -o {log} {user} "$@"\n' for log in logs)
    script += "cd /run; find . -name probed -printf '%U %p'"

    done = on_a_host(krun, script, "create", "-b", path, ID)
    assert done.returncode == 0, done.stderr
    assert [log.read_text().count('"--probe"') for log in logs] == [1, 0 if variable else 1]
    assert done.stdout == ("65534 ./own/kontain/probed" if variable else "")
