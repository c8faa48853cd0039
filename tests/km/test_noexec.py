# SPDX-License-Identifier: Apache-2.0
"""A mount that is noexec only to keep programs in VMs is, to a payload, as it is without that."""

import os
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

LOOK = Path(__file__).with_name("may_execute.py")
PYTHON = "/usr/bin/python3"
MODES = (
    0o755,
    0o644,
    0o700,
    0o711,
    0o750,
    0o604,
    0o610,
    0o001,
    0o111,
    0o070,
    0o605,
    0o767,
    0o4755,
)

OWNERS = ((0, 0), (1000, 1000), (1000, 3000), (65534, 65534), (100000, 100000), (0, 100000))

FILL = """
mount -t tmpfs -o "$1" top "$2" && mkdir "$2/own" "$2/files" && mount -t tmpfs -o noexec own "$2/own"
shift 2; exec "$@"
"""

pytestmark = [pytest.mark.needs_kvm, pytest.mark.needs_root, pytest.mark.usefixtures("kvm")]


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder for a mount, which everybody may enter: not pytest's, which is its user's alone."""
    if os.geteuid() != 0:
        pytest.skip("it mounts and sets owners: run it as root")
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o755)
        yield Path(made)


def acl(*entries: tuple[int, int, int]) -> bytes:
    """The value of system.posix_acl_access: tags, rights and numbers; linux/posix_acl_xattr.h."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


NONE = 0xFFFFFFFF
ACLS = {
    "user": acl((1, 6, NONE), (2, 5, 1000), (4, 4, NONE), (16, 7, NONE), (32, 0, NONE)),
    "masked": acl((1, 7, NONE), (2, 7, 1000), (4, 7, NONE), (16, 4, NONE), (32, 1, NONE)),
    "group": acl((1, 7, NONE), (4, 0, NONE), (8, 5, 3000), (16, 7, NONE), (32, 0, NONE)),
    "denied": acl((1, 7, NONE), (2, 0, 1000), (4, 5, NONE), (16, 5, NONE), (32, 5, NONE)),
    "parted": acl((1, 7, NONE), (4, 0, NONE), (8, 4, 3000), (8, 1, 3001), (16, 7, NONE), (32, 0, NONE)),
}  # fmt: skip


def fill(folder: Path) -> None:
    """Make scripts of all modes, owners and lists of rights, links and a folder."""

    def script(name: str) -> Path:
        path = folder / name
        path.write_text("#!/bin/true\n")
        return path

    for mode in MODES:
        for owner in OWNERS:
            path = script(f"{mode:04o}-{owner[0]}-{owner[1]}")
            os.chown(path, *owner)
            path.chmod(mode)
    for name, value in ACLS.items():
        os.setxattr(script(f"acl-{name}"), "system.posix_acl_access", value)
    (folder / "link").symlink_to("0755-0-0")
    (folder / "dangling").symlink_to("nowhere")
    (folder / "folder").mkdir()
    os.mkfifo(folder / "pipe", 0o755)


MAKE = f"""
import sys; sys.path.insert(0, {str(LOOK.parents[2])!r})
from pathlib import Path; import os; from tests.km import test_noexec as t
top = Path(sys.argv[1]); t.fill(top / "files"); t.fill(top / "own")
os.execv(sys.argv[2], sys.argv[2:])
"""

# Run what follows in a user namespace that has so many numbers.
MAPPED = """
import ctypes, os, sys
ready, go = os.pipe(), os.pipe()
pid = os.fork()
if not pid:
    assert not ctypes.CDLL(None).unshare(0x10000000)
    os.write(ready[1], b"x"), os.read(go[0], 1)
    os.execv(sys.argv[2], sys.argv[2:])
os.read(ready[0], 1)
for kind in ("uid_map", "gid_map"):
    with open(f"/proc/{pid}/{kind}", "w") as file:
        file.write(f"0 0 {sys.argv[1]}")
os.write(go[1], b"x")
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""


def looked(place: Path, flags: str, mapped: int, *before: Path) -> str:
    """The output of may_execute.py where PLACE is mounted with FLAGS, run by BEFORE."""
    users = [PYTHON, "-c", MAPPED, str(mapped)] if mapped else []
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", FILL, "sh", flags, place, sys.executable, "-c", MAKE, place, *users,
         *before, PYTHON, LOOK, place / "files", place / "own"],
        capture_output=True, text=True, check=False, timeout=300, cwd="/",
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("mapped", [0, 1001, 65536], ids=["host", "few users", "users"])
def test_answers_are_those_without_noexec(mapped: int, km: Path, place: Path) -> None:
    """For users, groups, capabilities and lists of rights every answer is the native one."""
    wanted = looked(place, "exec", mapped)
    found = looked(place, "noexec", mapped, km, Path("--hide-noexec"), place)
    assert len(wanted.splitlines()) > len(MODES) * len(OWNERS)
    assert "False status 0" in wanted
    assert "True 13" in wanted
    assert "load 1\n" in wanted
    assert found.splitlines() == wanted.splitlines()


# Mounted noexec: what waits, and what changes its root or its mounts, hears the same.
MORE = """
import ctypes, os, select, sys
top = sys.argv[1]
file = open("/proc/self/mountinfo")
file.read()
epoll = select.epoll()
epoll.register(file.fileno(), select.EPOLLPRI)
print(epoll.poll(0))
def ask(path):
    print(path[-4:], os.access(path, os.X_OK), bool(os.statvfs(path).f_flag & os.ST_NOEXEC))
for path in (top + "/tool", top + "/own/tool"):
    ask(path)
    print(os.spawnv(os.P_WAIT, path, [path]))
print(ctypes.CDLL(None).unshare(0x20000))
ask(top + "/tool"), ask(top + "/own/tool")
print(os.spawnv(os.P_WAIT, "/usr/bin/test", ["test", "-x", top + "/tool"]))
os.chroot(top)
ask("/tool"), ask("/own/tool")
"""


def test_hidden_mounts_follow_the_process(km: Path, place: Path) -> None:
    """They are known after execve, in a namespace of mounts of its own, and below another root."""
    fill = f"cp /bin/true {place}/tool; cp /bin/true {place}/own/tool; exec "
    found = []
    for flags, before in (("exec", []), ("noexec", [str(km), "--hide-noexec", str(place)])):
        done = subprocess.run(
            ["unshare", "-m", "sh", "-c", FILL, "sh", flags, place, "sh", "-c", fill + '"$@"', "sh",
             *before, PYTHON, "-c", MORE, place],
            capture_output=True, text=True, check=False, timeout=60, cwd="/",
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        found.append(done.stdout)
    assert found[0].count("tool True False") == 3
    assert found[1] == found[0]
