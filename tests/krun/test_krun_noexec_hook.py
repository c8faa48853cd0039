# SPDX-License-Identifier: Apache-2.0
"""The hook: all that is mounted below a container's root is noexec, but for the host's programs."""

from __future__ import annotations

import ctypes
import os
import shutil
import socket
import struct
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .support import (
    BUSYBOX,
    FOREVER,
    ID,
    KM,
    KRUN,
    BundleFolder,
    Runtime,
    add_user_namespace,
    start,
)

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

Mount = Callable[..., None]


@pytest.fixture
def mount() -> Iterator[Mount]:
    """Return a function whose mounts end with the test."""
    made: list[Path] = []

    def do(place: Path, *words: str) -> None:
        place.mkdir(exist_ok=True)
        subprocess.run(["mount", *words, place], check=True)
        made.append(place)

    yield do
    for place in reversed(made):
        subprocess.run(["umount", "--lazy", place], check=True)


def table(pid: int) -> dict[str, list[str]]:
    """Return, for each place at which a process has a mount, its options and its optional fields."""
    found = {}
    for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines():
        before = line.split(" - ")[0].split(" ")
        found[before[4]] = [*before[5].split(","), *before[6:]]
    return found


def execute(pid: int, *command: str) -> str:
    """Return what a program of a container says that the host's kernel is asked to execute."""
    enter = ["nsenter", "--mount", "--target", str(pid), *command]
    done = subprocess.run(enter, capture_output=True, text=True, check=False)
    return done.stdout + done.stderr


def check(pid: int) -> None:
    """Fail if a mount of the process is executable that is not the host's, or gets others' mounts.

    What a backend puts over the host's own files, an empty folder or a null device, may be.
    """
    for place, options in table(pid).items():
        if place.startswith(("/proc/", "/sys/")):
            continue
        assert ("noexec" in options) is not place.startswith("/dev/.kontain/"), place
        assert not [word for word in options if word.startswith(("master:", "shared:"))], place


@pytest.mark.parametrize("users", ["host's", "own"])
def test_mounts_below_the_root(
    krun: Runtime, bundle: BundleFolder, mount: Mount, tmp_path: Path, users: str
) -> None:
    """The bundle's own mounts below its root, and below a volume, are noexec too."""
    if users == "own":
        add_user_namespace(bundle)
    for folder in (
        bundle.rootfs / "sub",
        bundle.rootfs / "sub" / "with blank",
        tmp_path / "volume",
    ):
        mount(folder, "-t", "tmpfs", "tmpfs")
    mount(tmp_path / "volume" / "sub", "-t", "tmpfs", "-o", "ro", "tmpfs")
    shutil.copy(BUSYBOX, bundle.rootfs / "sub" / "busybox")
    bundle.doc["mounts"] += [
        {
            "destination": "/v",
            "type": "bind",
            "source": str(tmp_path / "volume"),
            "options": ["rbind"],
        },
        {"destination": "/cgroup", "type": "cgroup", "source": "cgroup", "options": ["ro"]},
    ]
    if users != "own":
        bundle.doc["linux"]["readonlyPaths"] += ["/bin", "/v"]
    pid = start(krun, bundle, "sleep", FOREVER)

    check(pid)
    found = table(pid)
    assert {"/sub", "/sub/with\\040blank", "/v", "/cgroup"} <= set(found)
    if users != "own":  # crun 1.8 leaves it out there
        assert "ro" in found["/v/sub"]
        assert {"ro", "noexec"} <= set(found["/bin"])
    assert krun("exec", ID, "/sub/busybox", "test", "-x", "/sub/busybox").returncode == 0
    assert "Permission denied" in execute(pid, "/sub/busybox")
    assert execute(pid, "/dev/.kontain/km", "--version").startswith("km")


def test_later_mounts_of_the_host_stay_outside(
    krun: Runtime, bundle: BundleFolder, mount: Mount, tmp_path: Path
) -> None:
    """A volume that is the host's slave, and the root, get nothing that is executable later."""
    volume = tmp_path / "volume"
    mount(volume, "-t", "tmpfs", "tmpfs")
    subprocess.run(["mount", "--make-shared", volume], check=True)
    (volume / "later").mkdir()
    for name, kind in (("a", "rslave"), ("b", "rshared")):
        bundle.doc["mounts"].append(
            {
                "destination": f"/{name}",
                "type": "bind",
                "source": str(volume),
                "options": ["rbind", kind],
            }
        )
    bundle.doc["linux"]["rootfsPropagation"] = "rslave"
    pid = start(krun, bundle, "sleep", FOREVER)
    mount(volume / "later", "-t", "tmpfs", "tmpfs")

    check(pid)
    assert "/a/later" not in table(pid)


@pytest.mark.parametrize("path", ["/bin", "/", "/proc/../bin", "/v", "/dev/x"])
@pytest.mark.parametrize("why", ["users", "processes"])
def test_read_only_paths_that_come_after_the_hook(
    krun: Runtime, bundle: BundleFolder, path: str, why: str
) -> None:
    """Where crun 1.8.1 would make the image's files executable again, nothing is created."""
    if why == "users":
        add_user_namespace(bundle)
    else:
        bundle.doc["linux"].setdefault("resources", {})["pids"] = {"limit": 8}
    bundle.doc["linux"]["readonlyPaths"].append(path)

    done = krun("run", "-b", bundle.args("true"), ID)
    assert f"linux.readonlyPaths has {path}, whose files could be executed" in done.stderr


def test_links_of_the_image_at_the_place_of_km(krun: Runtime, bundle: BundleFolder) -> None:
    """An image whose /dev is a link gets no executable file, of its own or of the host's."""
    shutil.rmtree(bundle.rootfs / "dev", ignore_errors=True)
    (bundle.rootfs / "dev").symlink_to("else")
    folder = bundle.rootfs / "else" / ".kontain"
    folder.mkdir(parents=True)
    shutil.copy(BUSYBOX, folder / "km")
    bundle.doc["root"]["readonly"] = False
    pid = start(krun, bundle, "sleep", FOREVER)

    executable = [place for place, options in table(pid).items() if "noexec" not in options]
    assert executable[0] == "/else/.kontain/km"
    assert all(place.startswith(("/proc/", "/sys/")) for place in executable[1:])
    assert Path(f"/proc/{pid}/root/else/.kontain/km").read_bytes() == KM.read_bytes()


def test_user_namespace_by_its_path(krun: Runtime, bundle: BundleFolder) -> None:
    """A container that joins a user namespace, without mappings of its own, is restricted too."""
    add_user_namespace(bundle)
    pid = start(krun, bundle, "sleep", FOREVER)
    for name in ("uidMappings", "gidMappings") if krun.backend == "crun" else ():
        del bundle.doc["linux"][name]  # without which runc 1.1 makes none
    bundle.doc["linux"]["namespaces"][-1]["path"] = f"/proc/{pid}/ns/user"

    assert krun.create("-b", bundle.args("sleep", FOREVER), "d") == 0
    check(krun.state("d")["pid"])


def no_new_calls() -> None:
    """Make mount_setattr(2) and openat2(2) as on Linux before 5.6, for this process."""
    load, equal, give = 0x20, 0x15, 0x06  # BPF: the call's number; is it; the answer
    enosys, allow = 0x00050000 | 38, 0x7FFF0000
    program = b"".join(
        struct.pack("HBBI", *line)
        for line in ((load, 0, 0, 0), (equal, 2, 0, 442), (equal, 1, 0, 437), (give, 0, 0, allow),
                     (give, 0, 0, enosys))
    )  # fmt: skip
    lines = ctypes.create_string_buffer(program)
    filters = struct.pack("HxxxxxxQ", 5, ctypes.addressof(lines))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(38, 1, 0, 0, 0) or libc.prctl(22, 2, filters, 0, 0):
        raise OSError(ctypes.get_errno(), "seccomp")


@pytest.mark.parametrize("users", ["host's", "own"])
def test_working_directory_that_a_read_only_root_lacks(
    krun: Runtime, bundle: BundleFolder, users: str
) -> None:
    """It is made, with the backend's owner and mode, before the hook makes the root read-only."""
    bundle.doc["root"]["readonly"] = True
    bundle.doc["process"]["cwd"] = "/new/../link/dir"
    (bundle.rootfs / "link").symlink_to("/../far")
    (bundle.rootfs / "far").mkdir()
    if users == "own":
        add_user_namespace(bundle)
        os.chown(bundle.rootfs / "far", 100000, 100000)
    path = bundle.args("sh", "-c", "pwd; ls -ldn . ..; echo x > file")

    def look(done: subprocess.CompletedProcess[str]) -> tuple[int, list[str]]:
        words = [line.split()[:4] for line in done.stdout.splitlines()]
        assert "Read-only file system" in done.stderr, done.stderr
        (bundle.rootfs / "far" / "dir").rmdir()
        return done.returncode, [word for line in words for word in line]

    mine = look(krun("run", "-b", path, ID))
    assert mine == look(krun.bare("run", "-b", path, ID))
    assert "drwxr-xr-x" in mine[1]


def test_working_directory_that_the_container_may_not_make(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path
) -> None:
    """Below a folder of the host's the hook makes none, for it has the rights of the container."""
    (tmp_path / "data").mkdir(mode=0o755)
    bundle.doc["mounts"].append(
        {
            "destination": "/data",
            "type": "bind",
            "source": str(tmp_path / "data"),
            "options": ["bind"],
        }
    )
    bundle.doc["root"]["readonly"] = True
    bundle.doc["process"]["cwd"] = "/data/new"
    add_user_namespace(bundle)

    for call in (krun, krun.bare):
        done = call("run", "-b", bundle.args("true"), ID)
        assert done.returncode == 1, done.stderr
        assert not list((tmp_path / "data").iterdir())


def test_notify_socket_in_a_read_only_root(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path
) -> None:
    """The socket by which a program tells systemd that it is ready is in the container, as its own."""
    if krun.backend == "runc":
        pytest.skip("runc mounts the socket before the hook begins")
    bundle.doc["root"]["readonly"] = True
    add_user_namespace(bundle)
    address = tmp_path / "notify"
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as listener:
        listener.bind(str(address))
        path = bundle.args("sh", "-c", "ls $NOTIFY_SOCKET")
        done = krun("run", "-b", path, ID, env={**os.environ, "NOTIFY_SOCKET": str(address)})
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip().endswith("/notify")


MOUNTS = """
cd "$1"; mkdir "a root" outside; mount -t tmpfs -o nosuid one "a root"; mount -t tmpfs other outside
cd "a root"; mkdir -p low sub "x y" dev/.kontain; touch dev/.kontain/km
mount -t tmpfs -o ro,nodev,nosuid,noatime two sub; mount -t tmpfs three "x y"
mount -t tmpfs -o ro hidden low; mount -t tmpfs top low; mount --make-shared low
mount --bind /bin/busybox dev/.kontain/km
cd /; shift; (exec -a krun-noexec "$@"); cat /proc/self/mountinfo
"""


@pytest.mark.parametrize("old", [False, True], ids=["this Linux", "Linux before 5.6"])
@pytest.mark.parametrize("read_only", [False, True])
def test_hook_by_itself(tmp_path: Path, old: bool, read_only: bool) -> None:  # noqa: FBT001
    """Both ways give each mount the same options, and keep those that it has."""
    words = [*["--read-only"] * read_only, str(tmp_path / "a root"), "/dev/.kontain/km"]
    unshare = ["unshare", "-m", "--propagation", "private", "bash", "-ec", MOUNTS, "-"]
    done = subprocess.run(
        [*unshare, tmp_path, KRUN, *words], input='{"pid": 1}', capture_output=True, text=True,
        check=False, preexec_fn=no_new_calls if old else None,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    found = {}
    for line in done.stdout.splitlines():
        before = line.split(" - ")[0].split(" ")
        if before[4].startswith(str(tmp_path)):
            name = before[4][len(str(tmp_path)) + 1 :]
            found[name] = set(before[5].split(",")) - {"relatime"}
            assert "outside" in name or len(before) == 6, line
    access = "ro" if read_only else "rw"
    assert found == {
        "a\\040root": {access, "noexec", "nosuid"},
        "a\\040root/sub": {"ro", "noexec", "nosuid", "nodev", "noatime"},
        "a\\040root/x\\040y": {"rw", "noexec"},
        "a\\040root/low": {"rw", "noexec"},
        "a\\040root/dev/.kontain/km": {"rw"},
        "outside": {"rw"},
    }


@pytest.mark.parametrize(
    ("words", "state", "why"),
    [
        ([], "", "understand its command line"),
        (["/nope"], "", "open /nope"),
        (["/", "/nope"], "", "execute /nope"),
        (["--outside", "/"], "", "find the process"),
        (["--outside", "/"], '{"pid":0}', "find the process"),
        (["--outside", "/"], '{"id":"\\"pid\\":1"}', "find the process"),
        (["--outside", "/"], '{"pid":2147483647}', "open /proc/2147483647/ns/mnt"),
    ],
)
def test_hook_that_cannot(words: list[str], state: str, why: str) -> None:
    """A hook that cannot work reports the reason, and the backend hears it by the status."""
    command = ["unshare", "-m", "bash", "-c", f'exec -a krun-noexec "{KRUN}" "$@"', "-", *words]
    done = subprocess.run(command, input=state, capture_output=True, text=True, check=False)

    assert done.returncode == 1
    assert done.stderr.startswith(f"krun-noexec: cannot {why}")
    assert len(done.stderr.splitlines()) == 2


@pytest.mark.skipif(
    not Path("/proc/sys/vm/memfd_noexec").exists(), reason="needs Linux 6.3: vm.memfd_noexec"
)
@pytest.mark.parametrize("users", ["host's", "own"])
def test_memory_files_are_not_executable(krun: Runtime, bundle: BundleFolder, users: str) -> None:
    """In the pid namespace of a container, and only there, no memory file can be executed."""
    level = Path("/proc/sys/vm/memfd_noexec").read_text()
    if users == "own":
        add_user_namespace(bundle)
    pid = start(krun, bundle, "sleep", FOREVER)
    ask = "import os; print(open('/proc/sys/vm/memfd_noexec').read().strip()); os.memfd_create('x', 0x10)"
    enter = ["nsenter", "--pid", "--target", str(pid), "/usr/bin/python3", "-c", ask]

    done = subprocess.run(enter, capture_output=True, text=True, check=False)
    assert done.stdout == "2\n"
    assert "PermissionError" in done.stderr
    assert Path("/proc/sys/vm/memfd_noexec").read_text() == level


def test_pid_namespace_of_the_host(krun: Runtime, bundle: BundleFolder) -> None:
    """A container without a pid namespace of its own changes nothing of the host's."""
    known = Path("/proc/sys/vm/memfd_noexec")
    before = known.read_text() if known.exists() else ""
    spaces = bundle.doc["linux"]["namespaces"]
    spaces[:] = [space for space in spaces if space["type"] != "pid"]
    start(krun, bundle, "sleep", FOREVER)

    assert (known.read_text() if known.exists() else "") == before
    assert os.memfd_create("x", 0x10) > 0
