# SPDX-License-Identifier: Apache-2.0
"""The images of the tests, as tarballs: one with busybox, one in the layout of a distribution."""

from __future__ import annotations

import re
import shutil
import subprocess
import tarfile
from pathlib import Path

from .support import APPLETS, BUSYBOX

DEBIAN_PROGRAMS = (
    "bash", "cat", "chmod", "cp", "cut", "date", "dd", "env", "find", "grep", "head", "id", "kill",
    "ls", "mkdir", "mkfifo", "perl", "ps", "readlink", "rm", "sed", "seq", "sh", "sleep", "sort",
    "stat", "stty", "tail", "tar", "touch", "tr", "true", "tty", "uname", "wc", "xargs",
)  # fmt: skip
# A server on port 80 that answers with the kernel's release. Perl without its modules: AF_INET and SOCK_STREAM are 2 and 1.
SERVER = (
    "socket S, 2, 1, 0; bind S, pack q(S n a4 x8), 2, 80, qq(\\0) x 4; listen S, 5;"
    "while (accept C, S) { print C `/bin/uname -r`; close C }"
)
_FOLDERS = ("usr/bin", "usr/lib", "usr/sbin", "etc", "tmp", "root", "proc", "sys", "dev", "run")


def write_busybox(path: Path, scratch: Path) -> None:
    """Write a root file system with busybox, a script, and a file that may not run, to PATH."""
    scratch.mkdir()
    (scratch / "script").write_text('#!/bin/sh\necho "$0 $1"\nexit 5\n')
    (scratch / "script").chmod(0o755)
    (scratch / "plain").write_text("text\n")
    (scratch / "plain").chmod(0o644)
    for applet in APPLETS:
        (scratch / applet).symlink_to("busybox")
    (scratch / "bin").mkdir()
    with tarfile.open(path, "w") as tar:
        tar.add(scratch / "bin", "bin", recursive=False)
        tar.add(BUSYBOX, "bin/busybox")
        for name in ("script", "plain"):
            tar.add(scratch / name, name)
        for applet in APPLETS:
            tar.add(scratch / applet, f"bin/{applet}")


def write_debian(path: Path, scratch: Path) -> None:
    """Write a merged-/usr root file system of this host's own dynamic programs to PATH."""
    for folder in _FOLDERS:
        (scratch / folder).mkdir(parents=True)
    (scratch / "tmp").chmod(0o1777)
    for name in ("bin", "lib", "sbin"):
        (scratch / name).symlink_to(f"usr/{name}")
    (scratch / "lib64").symlink_to("usr/lib64")
    (scratch / "usr/lib64").symlink_to("lib")
    (scratch / "etc/passwd").write_text(
        "root:x:0:0:root:/root:/bin/bash\ndaemon:x:1:1::/:/bin/sh\n"
    )
    (scratch / "etc/group").write_text("root:x:0:\ndaemon:x:1:\ntty:x:5:\n")
    (scratch / "script").write_text('#!/usr/bin/env bash\necho "$0 $1 $BASH"\nexit 5\n')
    (scratch / "script").chmod(0o755)
    _copy_programs(scratch)
    with tarfile.open(path, "w") as tar:
        tar.add(scratch, ".")


def _copy_programs(target: Path) -> None:
    programs = [shutil.which(name, path="/usr/bin:/bin") or name for name in DEBIAN_PROGRAMS]
    for program in programs:
        shutil.copy(program, target / "usr/bin")
    # One call for all: each costs a second on an emulated CPU.
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=True).stdout
    for library in set(re.findall(r"(/\S+) \(0x", listed)):
        shutil.copy(library, target / "usr/lib")
