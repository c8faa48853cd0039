# SPDX-License-Identifier: Apache-2.0
"""A host's gifts that would help a payload out: mounts, set-user-ID files, privileges."""

import os
import shutil
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.folders import open_to_users

NOBODY = 65534
READ_DOOR = """
import os
for flags in (os.O_RDONLY, os.O_RDWR, os.O_PATH):
    try:
        fd = os.open("door", flags)
        os.pread(fd, 8, 0)
        print("read")
    except OSError as error:
        print(error.strerror)
"""
THREADED = "import threading, time\nthreading.Thread(target=time.sleep, args=(1,)).start()\n"
AT_SECURE = 23
WHO = (
    f"import ctypes, os, re; print(os.getuid(), os.geteuid(), ctypes.CDLL(None).getauxval({AT_SECURE}),"
    " re.findall('(?m)^(?:CapEff|NoNewPrivs):\\t(.*)', open('/proc/self/status').read()))"
)

pytestmark = [pytest.mark.needs_kvm, pytest.mark.needs_root, pytest.mark.usefixtures("kvm")]


@pytest.fixture(autouse=True)
def _root() -> None:
    if os.geteuid() != 0:
        pytest.skip("it mounts and sets owners: run it as root")


@pytest.mark.parametrize("threads", ["", THREADED], ids=["alone", "with threads"])
def test_mount_of_its_memory_is_refused(threads: str, km: Path, tmp_path: Path) -> None:
    """The process's memory file is refused also where it is mounted under another name."""
    (tmp_path / "door").touch()
    script = 'mount --bind /proc/$$/mem door && exec "$@"'
    done = subprocess.run(
        ["unshare", "-m", "sh", "-c", script, "sh", km, "/usr/bin/python3", "-c", threads + READ_DOOR],
        cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert done.stdout == "Permission denied\nPermission denied\nBad file descriptor\n", done


@pytest.mark.parametrize("by", ["km", "execve"])
def test_set_user_id_is_ignored(by: str, km: Path, tmp_path: Path) -> None:
    """A set-user-ID program runs as the user who started it, and its C library sees no other."""
    open_to_users(tmp_path)
    program = tmp_path / "python3"
    shutil.copy(Path("/usr/bin/python3").resolve(), program)
    program.chmod(0o6755)
    monitor = shutil.copy(km, tmp_path / "km")
    start = [] if by == "km" else ["/usr/bin/env"]
    kvm = os.open("/dev/kvm", os.O_RDWR)
    done = subprocess.run(
        [monitor, "--kvm-fd", str(kvm), *start, program, "-c", WHO],
        user=NOBODY, group=NOBODY, extra_groups=[], cwd="/", pass_fds=[kvm],
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(kvm)
    assert done.stdout == f"{NOBODY} {NOBODY} 0 ['0000000000000000', '1']\n", done


def state(path: Path) -> tuple[int, ...]:
    """The changes that a call makes to a file."""
    is_now = path.stat()
    return is_now.st_ctime_ns, is_now.st_mode, is_now.st_uid


def test_what_it_lives_on_stays_as_it_is(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """No call of a payload of root changes km's file, or /dev/kvm, by a link of /proc to it."""
    monitor = Path(shutil.copy(km, tmp_path / "km"))
    folder = tmp_path / "work"
    folder.mkdir()
    payload = shutil.copy(build("monitor_file", "musl"), folder / "payload")
    kvm = tmp_path / "kvm"  # a node of its own: what fails here must not be the machine's
    os.mknod(kvm, 0o600 | stat.S_IFCHR, Path("/dev/kvm").stat().st_rdev)
    before = [state(monitor), state(kvm)]
    with kvm.open("rb+", buffering=0) as device:
        done = subprocess.run(
            [monitor, "--kvm-fd", str(device.fileno()), payload],
            cwd=folder, pass_fds=[device.fileno()],
            capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
    assert done.returncode == 0, done
    assert [state(monitor), state(kvm)] == before


def _run_without_proc(monitor: Path, root: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Run `/payload WORDS` in a root without a /proc, with the host's as descriptor 40."""
    shutil.copy(monitor, root / "km")
    kvm, proc = os.open("/dev/kvm", os.O_RDWR), os.open("/proc", os.O_RDONLY | os.O_DIRECTORY)
    os.set_inheritable(kvm, True)

    def enter() -> None:
        os.dup2(proc, 40)
        os.chroot(root)
        os.chdir("/")

    done = subprocess.run(
        ["/km", "--kvm-fd", str(kvm), "/payload", *words], preexec_fn=enter, close_fds=False,
        capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    os.close(kvm)
    os.close(proc)
    return done


def test_its_memory_is_refused_without_a_proc(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Where km finds no /proc, a payload that has one from elsewhere reads no memory by it."""
    shutil.copy(build("proc_race", "musl"), tmp_path / "payload")
    done = _run_without_proc(km, tmp_path, "here")
    assert (done.returncode, done.stdout) == (0, ""), done


def test_a_process_under_another_name_shows_no_monitor(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Where the host mounts the folder of a process in a VM, its lists show no monitor."""
    (tmp_path / "x").mkdir()
    with subprocess.Popen([km, "/bin/sleep", "60"], stdout=subprocess.DEVNULL) as other:
        done = subprocess.run(
            ["unshare", "--mount", "sh", "-ec", 'mount --bind "/proc/$1" x; shift; exec "$@"',
             "sh", str(other.pid), km, build("proc_roots", "musl"), "x"],
            cwd=tmp_path, capture_output=True, text=True, check=False, timeout=60,
        )  # fmt: skip
        other.kill()
    assert (done.returncode, done.stdout) == (0, ""), done


@pytest.mark.parametrize("way", ["alone", "threads", "exec", "vfork", "limit"])
def test_no_path_leads_out_of_a_root_by_the_monitors_folders(
    way: str, km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """In a root with a /proc of its own, no folder of the monitor's leads to the one outside."""
    jail, outside = tmp_path / "jail", tmp_path / "outside"
    (jail / "proc").mkdir(parents=True)
    outside.touch()
    program = build("root_left", "musl")
    shutil.copy(program, jail / "payload")
    done = subprocess.run(
        ["unshare", "--mount", "--pid", "--fork", "sh", "-ec",
         'mount -t proc proc "$1/proc"; mount -t proc proc /proc; shift; exec "$@"', "sh", jail, km,
         program, jail, outside, way],
        cwd="/", capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, ""), done


def test_files_are_opened_without_a_proc(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """Where km finds no /proc, files are found, made and followed by links as elsewhere."""
    native = tmp_path / "native"
    native.mkdir()
    program = build("file_names", "musl")
    wanted = subprocess.run(
        [program], cwd=native, capture_output=True, text=True, check=False, timeout=60
    )
    root = tmp_path / "root"
    root.mkdir()
    shutil.copy(program, root / "payload")
    assert _run_without_proc(km, root).stdout == wanted.stdout
