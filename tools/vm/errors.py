# SPDX-License-Identifier: Apache-2.0
"""Shared by the modules of virtual machines: errors, messages, and the way to run programs."""

import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Union

PACKAGES = {
    "bochs-bin": "bochs",
    "mke2fs": "e2fsprogs",
    "mmdebstrap": "mmdebstrap",
    "qemu-img": "qemu-utils",
    "qemu-system-x86_64": "qemu-system-x86",
    "scp": "openssh-client",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "setpriv": "util-linux",
    "unshare": "util-linux",
    "xorriso": "xorriso",
}

Argument = Union[str, "os.PathLike[str]"]


class VmError(Exception):
    """An error that the user can fix: its event and a remedy."""

    def __init__(self, problem: str, fix: str) -> None:
        """Remember both sentences, without full stops."""
        super().__init__(f"vm: {problem}.\nTo fix: {fix}.")


def say(text: str) -> None:
    """Tell the user what takes long."""
    print(f"vm: {text}", file=sys.stderr, flush=True)


def require_programs(*names: str) -> None:
    """Raise VmError when a program is missing, with the packages to install."""
    missing = [name for name in names if shutil.which(name) is None]
    if missing:
        raise VmError(
            f"{', '.join(missing)}: not in PATH",
            f"apt-get install {' '.join(sorted({PACKAGES[name] for name in missing}))}",
        )


def require_files(packages: Mapping[Path, str]) -> None:
    """Raise VmError when a file is missing, with the packages to install, which stand by path."""
    missing = [path for path in packages if not path.exists()]
    if missing:
        raise VmError(
            f"{', '.join(map(str, missing))}: not there",
            f"apt-get install {' '.join(sorted({packages[path] for path in missing}))}",
        )


def run(command: Sequence[Argument], pass_fds: Sequence[int] = ()) -> None:
    """Run a program quietly; raise VmError with the end of its output if it fails."""
    done = subprocess.run(
        command,
        pass_fds=pass_fds,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if done.returncode != 0:
        words = shlex.join(os.fspath(word) for word in command)
        end = "\n".join(done.stdout.splitlines()[-15:])
        raise VmError(
            f"{os.fspath(command[0])} ended with status {done.returncode}:\n{end}",
            f"look at what it says above, then run this again; the command was\n{words}",
        )
