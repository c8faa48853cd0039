# SPDX-License-Identifier: Apache-2.0
"""km's command line: options, how a payload is found, and what is said when it cannot be run."""

import os
import re
import resource
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .refusal import CANNOT_RUN, FAILED, NOT_FOUND, assert_refused, run

ROOT = Path(__file__).resolve().parents[2]

needs_kvm = pytest.mark.usefixtures("kvm")
needs_root = pytest.mark.skipif(os.geteuid() != 0, reason="not root: run the tests as root")

PRIVATE_DEV = 'mount --make-rprivate / && mount -t tmpfs none /dev && cp "$0" /dev/km && '
"""A shell's words: in a mount namespace, /dev is empty but for a km of that namespace."""

GUEST_TOP = 0x6FFF_0000_0000
"""Above it is the monitor: km/src/base/base.h."""

AS_NOBODY = "setpriv --reuid=65534 --regid=65534 --clear-groups "


@pytest.fixture
def hello(build: Callable[..., Path]) -> Path:
    """A payload that greets."""
    return build("hello")


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_help_names_every_option_of_the_man_page(option: str, km: Path) -> None:
    """The help is on standard output, names each option of the man page, and where to read on."""
    done = run([km, option])
    page = (ROOT / "km" / "man" / "km.1.md").read_text(encoding="utf-8")
    documented = re.findall(r"\*\*(--?\w[-\w]*)\*\*", page)
    assert (done.returncode, done.stderr) == (0, "")
    assert set(re.findall(r"^ +(-[-\w]+)", done.stdout, flags=re.MULTILINE)) <= set(documented)
    assert set(documented) - set(re.findall(r"--?\w[-\w]*", done.stdout)) <= {"-h", "-V"}
    assert "https://github.com/kontainapp/platform" in done.stdout


def test_version_is_the_collections(km: Path) -> None:
    """The version is that of galaxy.yml."""
    wanted = re.search(r"^version: *(\S+)", (ROOT / "galaxy.yml").read_text(), flags=re.MULTILINE)
    assert wanted
    assert run([km, "--version"]).stdout == f"km {wanted[1]}\n"


@pytest.mark.parametrize(
    ("words", "says"),
    [
        ([], "a PAYLOAD is missing"),
        (["--"], "a PAYLOAD is missing"),
        (["--trace"], "a PAYLOAD is missing"),
        (["--no-such-option", "payload"], "'--no-such-option'"),
        (["-x"], "'-x'"),
        (["-"], "'-'"),
        (["--argv0"], "--argv0 needs a value"),
        (["--kvm-fd"], "--kvm-fd needs a value"),
        (["--kvm-fd", "", "payload"], "found ''"),
        (["--kvm-fd", "seven", "payload"], "'seven'"),
        (["--kvm-fd", "-1", "payload"], "'-1'"),
        (["--kvm-fd", "7x", "payload"], "'7x'"),
        (["--kvm-fd", "99999999999999999999", "payload"], "'99999999999999999999'"),
    ],
)
def test_wrong_usage_is_refused(words: list[str], says: str, km: Path) -> None:
    """Wrong usage gives status 125 and names the word that is wrong."""
    assert_refused(run([km, *words]), FAILED, says)


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize(
    "text", ["", "0600000000000", "06000000000000zz", "-600000000000000", "2000000004000000"]
)
def test_what_is_no_filter_is_refused(text: str, km: Path) -> None:
    """Digits that are missing or none, and a program that does not end, give status 125."""
    assert_refused(run([km, "--seccomp", text, "/bin/true"]), FAILED, "holds no filter")


def test_empty_command_line_is_refused(km: Path) -> None:
    """Even without a name of its own, km says what is wrong."""
    assert_refused(run([""], executable=km), FAILED, "a PAYLOAD is missing")


def test_help_to_a_full_disk_fails(km: Path) -> None:
    """Help that could not be written is no success."""
    with Path("/dev/full").open("w") as full:
        status = subprocess.run([km, "--help"], stdout=full, check=False).returncode
    assert status == FAILED


@pytest.mark.parametrize(
    ("name", "status", "says"),
    [
        ("", NOT_FOUND, "empty"),
        ("./missing", NOT_FOUND, "./missing"),
        ("/no/such/folder/payload", NOT_FOUND, "/no/such/folder/payload"),
        ("/dev/null/payload", NOT_FOUND, "/dev/null/payload"),
        ("no-such-program", NOT_FOUND, "no-such-program"),
        ("x" * 5000, NOT_FOUND, "xxx"),
        ("/" + "x" * 5000, CANNOT_RUN, "xxx"),
        ("/", CANNOT_RUN, "a directory"),
        ("/tmp", CANNOT_RUN, "a directory"),  # noqa: S108
        ("/dev/null", CANNOT_RUN, "not a regular file"),
        ("/etc/passwd", CANNOT_RUN, "permission denied"),
    ],
)
def test_payload_that_is_not_there_is_refused(
    name: str, status: int, says: str, km: Path, tmp_path: Path
) -> None:
    """A missing file gives 127, one that is not a program 126."""
    assert_refused(run([km, name], cwd=tmp_path), status, says)


def test_payload_without_execute_permission_is_refused(
    km: Path, hello: Path, tmp_path: Path
) -> None:
    """A payload needs execute permission, as for execve(2)."""
    copy = tmp_path / "hello"
    copy.write_bytes(hello.read_bytes())
    copy.chmod(0o644)
    assert_refused(run([km, copy]), CANNOT_RUN, "permission denied", "chmod +x")


@needs_kvm
def test_payload_without_a_slash_is_searched(km: Path, hello: Path, tmp_path: Path) -> None:
    """A name alone is a file in the working directory, else in PATH; --search asks PATH only."""
    folder = {"cwd": hello.parent, "env": {"PATH": str(tmp_path)}}
    path = {"cwd": tmp_path, "env": {"PATH": f"/no/such/folder:{hello.parent}"}}
    assert run([km, hello.name], **folder).stdout == "hello, world\n"
    assert run([km, hello.name], **path).stdout == "hello, world\n"
    assert run([km, "--search", hello.name], **path).stdout == "hello, world\n"
    assert_refused(run([km, "--search", hello.name], **folder), NOT_FOUND, hello.name)


CORE = """
import os, resource, signal
limit = resource.RLIM_INFINITY
resource.setrlimit(resource.RLIMIT_CORE, (limit, limit))
print(resource.getrlimit(resource.RLIMIT_CORE) == (limit, limit), flush=True)
signal.signal(signal.SIGQUIT, signal.SIG_DFL)  # a shell's job in the background ignores it
os.kill(os.getpid(), signal.SIGQUIT)
"""


@needs_kvm
def test_monitor_leaves_no_core(km: Path, tmp_path: Path) -> None:
    """A payload that allows cores leaves its own, with no memory of the monitor."""
    if resource.getrlimit(resource.RLIMIT_CORE)[1] != resource.RLIM_INFINITY:
        pytest.skip("cores are limited here: run the tests with ulimit -H -c unlimited")
    if Path("/proc/sys/kernel/core_pattern").read_text(encoding="utf-8") != "core\n":
        pytest.skip("cores go elsewhere: run this where kernel.core_pattern is core")
    done = subprocess.run(
        [km, "/usr/bin/python3", "-c", CORE], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stdout) == (-signal.SIGQUIT, b"True\n")
    (core,) = tmp_path.iterdir()
    assert core.name.startswith("core")
    shown = run(["readelf", "-lW", core]).stdout
    segments = re.findall(r"^ +LOAD +\S+ (0x\w+)", shown, flags=re.MULTILINE)
    assert segments
    assert all(int(start, 16) < GUEST_TOP for start in segments)


@needs_kvm
def test_options_end_at_the_payload(km: Path, build: Callable[..., Path]) -> None:
    """Words after the payload, or --, are not km's."""
    payload = build("arguments")
    for words in ([payload, "--version"], ["--", payload, "--version"]):
        assert "9 [--version]" in run([km, *words]).stdout


@needs_kvm
def test_argv0_is_what_the_payload_sees(km: Path, build: Callable[..., Path]) -> None:
    """The payload's argv[0] is its path as given, or the value of --argv0."""
    payload = build("arguments")
    for name in ("another name", ""):
        done = run([km, "--argv0", name, payload])
        assert done.stdout.splitlines()[1] == f"{len(name)} [{name}]"


@needs_kvm
def test_many_arguments_arrive(km: Path, build: Callable[..., Path]) -> None:
    """As many arguments as the kernel takes arrive; more are the kernel's error."""
    payload = build("arguments")
    words = [f"argument-{n}" for n in range(20000)]
    environment = {f"NAME_{n}": "value" * 20 for n in range(2000)} | {"HOME": "/"}
    native, virtual = (run([*km_, payload, *words], env=environment) for km_ in ([], [km]))
    assert (virtual.returncode, virtual.stdout) == (native.returncode, native.stdout)
    small_stack = f'ulimit -s 64; exec "$@" {"x" * 4000} {"y" * 4000}'
    assert run(["sh", "-c", small_stack, "sh", km, payload]).returncode == 0


@needs_kvm
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&-", "<&- >&- 2>&-"])
def test_closed_standard_descriptors_stay_closed(
    closed: str, km: Path, build: Callable[..., Path]
) -> None:
    """A payload started without standard descriptors gets the same ones as on the host."""
    payload = build("descriptors")
    native, virtual = (
        run(["sh", "-c", f'exec "$@" {closed}', "sh", *command])
        for command in ([payload], [km, payload])
    )
    assert (virtual.returncode, virtual.stdout, virtual.stderr) == (
        native.returncode,
        native.stdout,
        native.stderr,
    )


@needs_kvm
def test_kvm_fd_is_used_and_hidden(km: Path, build: Callable[..., Path]) -> None:
    """A descriptor of /dev/kvm can be handed over; the payload does not see it."""
    fd = os.open("/dev/kvm", os.O_RDWR)
    try:
        for name in ("hello", "monitor_descriptors"):
            done = run([km, "--kvm-fd", fd, build(name)], pass_fds=[fd])
            assert (done.returncode, done.stderr.replace("hello, error\n", "")) == (0, "")
    finally:
        os.close(fd)


@pytest.mark.parametrize("fd", ["0", "1", "2", "77", "2147483647"])
def test_kvm_fd_of_something_else_is_refused(fd: str, km: Path, hello: Path) -> None:
    """A descriptor that is none, or none of KVM, gives status 125."""
    assert_refused(run([km, "--kvm-fd", fd, hello]), FAILED, fd)


@needs_root
@pytest.mark.needs_root
@pytest.mark.parametrize(
    ("device", "says"),
    [
        ("true", "/dev/kvm"),
        ("mknod /dev/kvm c 1 3 && chmod 666 /dev/kvm", "/dev/kvm"),
        (": > /dev/kvm", "/dev/kvm"),
        ("mkdir /dev/kvm", "/dev/kvm"),
        ("mknod /dev/kvm c 10 232 && chmod 600 /dev/kvm", "/dev/kvm"),
    ],
    ids=["missing", "another device", "a file", "a directory", "not this user's"],
)
def test_host_without_kvm_is_refused(device: str, says: str, km: Path, hello: Path) -> None:
    """Without a /dev/kvm that this user can open, km says what to do."""
    script = f'{PRIVATE_DEV} cp "$1" /dev/hello && {device} && exec {AS_NOBODY} /dev/km /dev/hello'
    done = run(["unshare", "-m", "sh", "-c", script, km, hello])
    assert_refused(done, FAILED, says)


@needs_root
@pytest.mark.needs_root
def test_unreadable_payload_is_refused(km: Path, hello: Path) -> None:
    """A payload that may be run but not read cannot be loaded."""
    script = f'{PRIVATE_DEV} install -m 111 "$1" /dev/hello && exec {AS_NOBODY} /dev/km /dev/hello'
    assert_refused(
        run(["unshare", "-m", "sh", "-c", script, km, hello]), CANNOT_RUN, "cannot read"
    )


def test_link_to_km_stands_for_the_payload_beside_it(
    km: Path, build: Callable[..., Path], tmp_path: Path
) -> None:
    """`name`, a link to km, runs `name.km`: by its path, from PATH, by #!, and from a payload."""
    (tmp_path / "greet").symlink_to(km)
    (tmp_path / "greet.km").symlink_to(build("arguments"))
    script = tmp_path / "script"
    script.write_text(f"#!{tmp_path}/greet --help\n", encoding="utf-8")
    script.chmod(0o755)
    search = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
    for words in (["./greet", "--trace", "b"], [str(km), "/bin/sh", "-c", "greet --trace b"],
                  ["sh", "-c", "greet --trace b"]):  # fmt: skip
        done = subprocess.run(
            words, cwd=tmp_path, env=search, capture_output=True, text=True, check=False
        )
        assert "--trace" in done.stdout, done
        assert done.stderr == ""
    assert "--help" in run([script]).stdout
    (tmp_path / "alone").symlink_to(km)
    assert run([tmp_path / "alone", "--version"]).stdout.startswith("km ")


@needs_kvm
def test_km_in_a_vm_runs_the_program_as_it_is(km: Path, hello: Path) -> None:
    """A km that is called in a VM becomes the program, with its arguments, status and death."""
    done = run([km, km, "--argv0", "other", hello])
    alone = run([km, hello])
    assert (done.returncode, done.stdout, done.stderr) == (0, alone.stdout, alone.stderr)
    assert run([km, km, km, "/bin/sh", "-c", "exit 7"]).returncode == 7
    assert run([km, km, "/bin/sh", "-c", "kill -9 $$"]).returncode == -signal.SIGKILL
    assert run([km, km, "--version"]).stdout.startswith("km ")


@needs_kvm
@pytest.mark.parametrize("option", ["--trace", "--stats", "--coredump=core"])
def test_km_in_a_vm_refuses_what_needs_one(option: str, km: Path, hello: Path) -> None:
    """An option that needs a VM of its own is an error that says which km can give it."""
    done = run([km, km, option, hello])
    assert_refused(done, FAILED, f"without {option.split('=', maxsplit=1)[0]}")
    assert "the km that made the VM" in done.stderr
