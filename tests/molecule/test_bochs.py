# SPDX-License-Identifier: Apache-2.0
"""Machines of Bochs: how a job goes in, what comes out, and that no machine is left."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tools.vm import bochs, initramfs
from tools.vm.errors import VmError
from tools.vm.image import Image

# In place of Bochs, which takes a minute: it shows on the console what a machine would.
STAND_IN = """#!/bin/sh
echo $$ >{pid}
console=$(sed -n 's/^com1: .*dev=//p' settings)
printf '%b' '{shows}' >"$console"
exec sleep {seconds}
"""


@pytest.fixture
def image(tmp_path: Path) -> Image:
    """An image of two small files."""
    made = Image(tmp_path / "image", "test")
    made.folder.mkdir()
    for path in (made.kernel, made.initrd):
        path.write_text("a file")
    return made


def run(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, shows: str, seconds: int = 60
) -> list[str]:
    """Run a machine that shows this and stays; return its lines, and see that it has ended."""
    pid = tmp_path / "pid"
    program = tmp_path / "bin" / "bochs-bin"
    program.parent.mkdir()
    program.write_text(STAND_IN.format(pid=pid, shows=shows, seconds=seconds))
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    job = tmp_path / "job"
    job.mkdir()
    try:
        with bochs.machine(image, job, "corei7_haswell_4770") as lines:
            return list(lines)
    finally:
        assert not Path("/proc", pid.read_text().strip()).exists()


def test_lines_end_with_the_job(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The console's output comes line by line, without the job's end, and the machine ends."""
    shows = rf"one\r\ntwo\r\n{initramfs.END} 0\r\n"
    assert run(image, tmp_path, monkeypatch, shows) == ["one", "two"]


@pytest.mark.parametrize(
    ("end", "said"),
    [
        ((rf"wrong\n{initramfs.END} 3\n", 60), "did not end with status 0:\nwrong\n"),
        ((r"booted\n", 0), "Bochs ended with status 0, having said:\nand the console:\nbooted"),
        ((r"booted\n", 60), "was silent for 1 s"),
    ],
    ids=["job", "emulator", "silence"],
)
def test_other_ends_are_errors(
    image: Image,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    end: tuple[str, int],
    said: str,
) -> None:
    """A job that fails, an emulator that ends and a silent machine are named, with the console."""
    monkeypatch.setattr(bochs, "SILENCE_S", 1)
    with pytest.raises(VmError) as caught:
        run(image, tmp_path, monkeypatch, *end)
    assert said in str(caught.value)


def test_missing_parts_are_named(
    image: Image, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where a part of the machine is not installed, the error has its path and its package."""
    monkeypatch.setattr(bochs, "FILES", {tmp_path / "absent.bin": "isolinux"})
    wanted = r"absent\.bin: not there\.\nTo fix: apt-get install isolinux\."
    with pytest.raises(VmError, match=wanted), bochs.machine(image, tmp_path, "any"):
        pass


def test_archive_holds_the_tree(tmp_path: Path) -> None:
    """An archive unpacks to the tree that it was made from: names, modes, links and contents."""
    tree, unpacked = tmp_path / "tree", tmp_path / "unpacked"
    (tree / "a folder").mkdir(parents=True)
    (tree / "a folder" / "program").write_bytes(b"\0\1odd")
    (tree / "a folder" / "program").chmod(0o755)
    (tree / "link").symlink_to("a folder/program")
    (tree / "temporary").mkdir()
    (tree / "temporary").chmod(0o1777)
    unpacked.mkdir()
    archive = tmp_path / "archive"
    initramfs.write_cpio(tree, archive, "there")
    with archive.open("rb") as file:
        subprocess.run(["busybox", "cpio", "-i"], stdin=file, cwd=unpacked, check=True)
    found = {
        path.relative_to(unpacked / "there"): path for path in (unpacked / "there").rglob("*")
    }
    assert set(found) == {path.relative_to(tree) for path in tree.rglob("*")}
    for name, path in found.items():
        assert path.lstat().st_mode == (tree / name).lstat().st_mode, name
    assert os.readlink(found[Path("link")]) == "a folder/program"  # noqa: PTH115
    assert found[Path("a folder/program")].read_bytes() == b"\0\1odd"
