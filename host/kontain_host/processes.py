# SPDX-License-Identifier: Apache-2.0
"""Read the processes of the host from /proc."""

from __future__ import annotations

import contextlib
import os
import time
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Tuple

_SHOWN = 100  # characters

FileId = Tuple[int, int]
"""Device and inode: a file's identity, under whatever path a mount namespace has it."""


def all_ids() -> Iterator[int]:
    """Yield the ids of the processes that this process sees."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            yield int(entry.name)


def command_line(pid: int) -> List[str]:
    """Return the arguments of a process; none when it has ended or is the kernel's."""
    with contextlib.suppress(OSError):
        content = Path(f"/proc/{pid}/cmdline").read_bytes()
        return content.decode(errors="replace").split("\0")[:-1]
    return []


def environment(pid: int) -> Dict[str, str]:
    """Return the environment that a process began with; {} when it has ended or is another user's."""
    with contextlib.suppress(OSError):
        content = Path(f"/proc/{pid}/environ").read_bytes().decode(errors="surrogateescape")
        words = (word.partition("=") for word in content.split("\0"))
        return {name: value for name, found, value in words if found}
    return {}


def start_time(pid: int) -> Optional[float]:
    """Return when a process began (seconds since 1970), or None when it has ended."""
    with contextlib.suppress(OSError):
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks = int(fields[19])  # starttime, the 22nd field of proc(5)
        booted = time.time() - time.clock_gettime(time.CLOCK_BOOTTIME)
        return booted + ticks / os.sysconf("SC_CLK_TCK")
    return None


def unit(pid: int) -> str:
    """Return the systemd unit that a process belongs to, "" where there is none."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/cgroup").read_text().splitlines():
            parts = [part for part in line.split("/") if part.endswith((".service", ".scope"))]
            if parts:
                return parts[-1]
    return ""


def absolute(pid: int, path: str) -> str:
    """Return a path that a process was given, from the root that it has."""
    with contextlib.suppress(OSError):
        return str(Path(f"/proc/{pid}/cwd").readlink() / path)
    return path


def program(pid: int) -> Optional[str]:
    """Return the path of the program that a process executes, as its namespace names it."""
    with contextlib.suppress(OSError):
        return os.readlink(f"/proc/{pid}/exe")  # noqa: PTH115  Path.readlink is 3.9's
    return None


def program_id(pid: int) -> Optional[FileId]:
    """Return which file a process executes, or None when it has ended or is the kernel's."""
    return file_id(f"/proc/{pid}/exe")


def program_info(pid: int) -> Optional[os.stat_result]:
    """Return what the kernel knows of the file that a process executes, None as `program_id`."""
    with contextlib.suppress(OSError):
        return os.stat(f"/proc/{pid}/exe")  # noqa: PTH116  a magic link is followed as it is
    return None


def shown(text: str) -> str:
    """Return a text of some user's, such as a name or path, as it may be printed to root."""
    return "".join(char if char.isprintable() else "?" for char in text[:_SHOWN])


def file_id(path: str) -> Optional[FileId]:
    """Return which file is at `path`, following links, or None when there is none."""
    with contextlib.suppress(OSError):
        info = os.stat(path)  # noqa: PTH116  a magic link of /proc is to be followed as it is
        return info.st_dev, info.st_ino
    return None


def same_place(pid: int, path: str, own_path: str) -> bool:
    """Return whether what process `pid` calls `path` is what this process calls `own_path`.

    The file itself need not exist; then the nearest folder above both decides.
    """
    theirs, own = Path(f"/proc/{pid}/root{path}"), Path(own_path)
    while not (os.path.lexists(theirs) or os.path.lexists(own)):
        if theirs.name != own.name:
            return False
        theirs, own = theirs.parent, own.parent
    found = file_id(str(theirs))
    return found is not None and found == file_id(str(own))
