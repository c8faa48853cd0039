# SPDX-License-Identifier: Apache-2.0
"""The program that a container's first argument is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from krun import mounts, resolve
from krun.errors import KrunError
from krun.rootfs import Rootfs

ELF = b"\x7fELF\x02\x01" + bytes(12) + b"\x3e\x00"
PATH = ["PATH=/first:/bin"]


class Image:
    """A root file system for tests."""

    def __init__(self, path: Path) -> None:
        """Begin with an empty one at PATH."""
        self.path = path
        self.mounts: list[dict[str, object]] = []

    def put(self, name: str, content: bytes = ELF, mode: int = 0o755) -> Path:
        """Put a file NAME with CONTENT into the image."""
        path = self.path / name.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        path.chmod(mode)
        return path

    def tree(self) -> Rootfs:
        """Return it as krun sees it."""
        fd = os.open(self.path, os.O_PATH)
        return mounts.tree_of(fd, fd, self.mounts)

    def resolve(self, *args: str, env: list[str] = PATH, cwd: str = "/") -> list[str]:
        """Return what follows km's options for ARGS."""
        return resolve.resolve(self.tree(), list(args), env, cwd)


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """Return an empty image, next to which there is a program that it must not reach."""
    image = Image(tmp_path / "rootfs")
    image.put("/bin/ls")
    (tmp_path / "outside").write_bytes(ELF)
    (tmp_path / "outside").chmod(0o755)
    return image


def test_absolute_path_is_kept(image: Image) -> None:
    """A path is given to km as it is, with the name by which it was called."""
    assert image.resolve("/bin/ls", "-l") == ["--argv0", "/bin/ls", "--", "/bin/ls", "-l"]


def test_path_is_searched_in_order(image: Image) -> None:
    """The first directory of PATH that has an executable file wins."""
    image.put("/first/ls", mode=0o644)
    assert image.resolve("ls") == ["--argv0", "ls", "--", "/bin/ls"]

    image.put("/first/ls", mode=0o755)
    assert image.resolve("ls") == ["--argv0", "ls", "--", "/first/ls"]


def test_last_path_counts(image: Image) -> None:
    """Of two PATHs the last is the process's."""
    assert image.resolve("ls", env=["PATH=/nowhere", "PATH=/bin"])[-1] == "/bin/ls"


def test_relative_path_begins_at_the_working_directory(image: Image) -> None:
    """`./ls` and `bin/ls` are relative to cwd."""
    assert image.resolve("./ls", cwd="/bin")[-1] == "./ls"
    assert image.resolve("bin/ls")[-1] == "bin/ls"
    with pytest.raises(KrunError, match=r"stat \./ls: no such file"):
        image.resolve("./ls", cwd="/")


def test_empty_folder_in_path_is_the_working_directory(image: Image) -> None:
    """An empty entry of PATH means cwd, as in execvp(3)."""
    assert image.resolve("ls", env=["PATH="], cwd="/bin")[-1] == "./ls"


@pytest.mark.parametrize("link", ["../../outside", "/../outside", "../../../../../../outside"])
def test_link_cannot_leave_the_image(image: Image, link: str) -> None:
    """A symbolic link leads within the rootfs, however many `..` it has."""
    (image.path / "bin" / "escape").symlink_to(link)

    with pytest.raises(KrunError, match="no such file"):
        image.resolve("/bin/escape")


def test_absolute_link_begins_at_the_rootfs(image: Image) -> None:
    """An absolute link, to a file or a folder, is the container's."""
    (image.path / "usr").symlink_to("/")
    (image.path / "bin" / "dir").symlink_to("/usr/bin/ls")

    assert image.resolve("/usr/bin/dir")[-1] == "/usr/bin/dir"


def test_loop_of_links_ends(image: Image) -> None:
    """A loop is the container's error 126, with the kernel's words."""
    (image.path / "loop").symlink_to("loop")

    with pytest.raises(KrunError, match="too many levels") as caught:
        image.resolve("/loop")
    assert caught.value.status == 126


@pytest.mark.parametrize(
    ("args", "words", "status"),
    [
        ("nope", 'exec: "nope": executable file not found in $PATH', 127),
        ("", 'exec: "": executable file not found in $PATH', 127),
        ("..", 'exec: "..": executable file not found in $PATH', 127),
        ("/nope", 'exec: "/nope": stat /nope: no such file or directory', 127),
        ("/bin/ls/x", "stat /bin/ls/x: not a directory", 127),
        ("/bin", 'exec: "/bin": permission denied', 126),
        ("/plain", 'exec: "/plain": permission denied', 126),
        ("/text", 'exec: "/text": exec format error', 126),
        ("/empty", 'exec: "/empty": exec format error', 126),
        ("/arm", "machine 183, wanted 62", 126),
        ("/fifo", 'exec: "/fifo": permission denied: not a regular file', 126),
        ("/" + "a" * 300, "file name too long", 126),
        ("/\udc80", "no such file", 127),
        ("/\ud800", "surrogates not allowed", 126),
    ],
)
def test_what_cannot_run_has_the_words_of_runc(
    image: Image, args: str, words: str, status: int
) -> None:
    """Engines read "not found" and "permission denied" from these words."""
    image.put("/plain", mode=0o644)
    image.put("/text", b"echo hello\n")
    image.put("/empty", b"")
    image.put("/arm", ELF[:18] + b"\xb7\x00")
    os.mkfifo(image.path / "fifo", 0o755)

    with pytest.raises(KrunError) as caught:
        image.resolve(args)
    assert words in caught.value.problem
    assert caught.value.status == status


def test_no_path_finds_nothing(image: Image) -> None:
    """Without PATH a plain name is not found, as under crun and runc."""
    with pytest.raises(KrunError, match="not found"):
        image.resolve("ls", env=[])


def test_script_runs_by_its_interpreter(image: Image) -> None:
    """Linux's rule: the interpreter, its one argument, the script, the arguments."""
    image.put("/bin/s", b"#! /bin/ls  -a b \nrest")

    assert image.resolve("s", "x") == [
        "--argv0", "/bin/ls", "--", "/bin/ls", "-a b", "/bin/s", "x"
    ]  # fmt: skip


def test_interpreter_may_be_a_script(image: Image) -> None:
    """Scripts nest, up to Linux's limit."""
    image.put("/s0", b"#!/bin/ls\n")
    for level in range(1, 7):
        image.put(f"/s{level}", f"#!/s{level - 1}\n".encode())

    assert image.resolve("/s4")[3:] == ["/bin/ls", "/s0", "/s1", "/s2", "/s3", "/s4"]
    with pytest.raises(KrunError, match="more than 5 levels"):
        image.resolve("/s6")


@pytest.mark.parametrize(
    ("line", "words", "status"),
    [
        (b"#!/nope\n", 'its interpreter "/nope": stat /nope: no such file', 127),
        (b"#!/bin\n", "permission denied", 126),
        (b"#!/bin/ls\r\n", "no such file", 127),
        (b"#!\n", "names no interpreter", 126),
        (b"#!/" + b"x" * 300, "names no interpreter", 126),
        (b"#!/\xff\n", "not UTF-8", 126),
    ],
)
def test_broken_first_line(image: Image, line: bytes, words: str, status: int) -> None:
    """A script whose interpreter cannot run says so."""
    image.put("/s", line)

    with pytest.raises(KrunError) as caught:
        image.resolve("/s")
    assert words in caught.value.problem
    assert caught.value.status == status


def test_bind_mount_is_looked_into(image: Image, tmp_path: Path) -> None:
    """A program on a volume is found where the volume will be, also through links."""
    Image(tmp_path / "volume").put("/tool")
    (image.path / "var").mkdir()
    (image.path / "alias").symlink_to("var")
    image.mounts = [
        {"destination": "/alias/vol", "type": "bind", "source": str(tmp_path / "volume")}
    ]

    assert image.resolve("/var/vol/tool")[-1] == "/var/vol/tool"
    with pytest.raises(KrunError, match="no such file"):
        image.resolve("/var/vol/nope")
    with pytest.raises(KrunError, match="no such file"):
        image.resolve("/var/vol/../../../outside")


def test_unknown_tree_is_left_to_km(image: Image) -> None:
    """A program that only the running container has, km looks for, in PATH too."""
    image.mounts = [{"destination": "/first", "type": "tmpfs", "source": "tmpfs"}]

    assert image.resolve("/first/x", "y") == ["--argv0", "/first/x", "--", "/first/x", "y"]
    assert image.resolve("ls") == ["--argv0", "ls", "--search", "--", "ls"]


def test_mount_whose_folder_the_image_lacks_is_left_to_km(image: Image) -> None:
    """The backend makes the folders of a mount, such as an engine's init in an empty image."""
    image.mounts = [{"destination": "/sbin/init", "type": "bind", "source": "/bin/true"}]

    assert image.resolve("/sbin/init", "--") == ["--argv0", "/sbin/init", "--", "/sbin/init", "--"]
