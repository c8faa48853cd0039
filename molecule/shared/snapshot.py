#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""List the files of a host, and compare them with such a list.

    snapshot.py save FILE      write the list
    snapshot.py compare FILE   print what is new, changed or gone since; status 1 where anything is

A file is its kind, mode, owner, group, link target and contents; its times do not count. Below
`BY_CHANGE_TIME`, where nobody but dpkg has business and an emulated CPU would hash for minutes,
the time of the last change to the inode stands for all of these. The files in `VOLATILE` change by
themselves or are promised to stay. It runs on the host: standard library only.
"""

import hashlib
import json
import os
import stat
import sys
from collections.abc import Iterator
from pathlib import Path

VOLATILE = (
    "/root/.ansible",  # Ansible's folder on every host that it reaches
    "/root/oom",  # conmon's, of a container that took too much memory
    "/var/cache",
    "/var/lib/cni",  # the engines' networks, images and state
    "/var/lib/containerd",
    "/var/lib/containers",
    "/var/lib/docker",
    "/var/lib/systemd",
    "/var/log",  # logs stay
    "/var/tmp/intermediate-mountpoint-0.0",  # noqa: S108  podman's, of one with users of its own
)
# What Ansible unpacks while it runs this; /tmp is on the disk before Debian 13.
OF_ANSIBLE = "/tmp/ansible_"  # noqa: S108  nothing is written there
BY_CHANGE_TIME = (
    "/usr/bin",
    "/usr/include",
    "/usr/lib",
    "/usr/libexec",
    "/usr/sbin",
    "/usr/share",
)


def walk(folder: str, device: int) -> "Iterator[str]":
    """Yield every path below a folder that is on this device, except volatile ones."""
    with os.scandir(folder) as entries:
        for entry in entries:
            volatile = entry.path in VOLATILE or entry.path.startswith(OF_ANSIBLE)
            if volatile or entry.stat(follow_symlinks=False).st_dev != device:
                continue
            yield entry.path
            if entry.is_dir(follow_symlinks=False):
                yield from walk(entry.path, device)


def describe(path: str) -> str:
    """Return all that counts of a file, as a text."""
    info = os.lstat(path)
    words = [stat.filemode(info.st_mode), str(info.st_uid), str(info.st_gid)]
    if stat.S_ISLNK(info.st_mode):
        words.append(str(Path(path).readlink()))
    elif stat.S_ISREG(info.st_mode):
        words.append(_contents(path, info))
    return " ".join(words)


def _contents(path: str, info: os.stat_result) -> str:
    if path.startswith(tuple(f"{folder}/" for folder in BY_CHANGE_TIME)):
        return f"{info.st_ino} {info.st_ctime_ns}"
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def snapshot(root: str = "/") -> "dict[str, str]":
    """Return the description of each file below a folder."""
    return {path: describe(path) for path in walk(root, Path(root).stat().st_dev)}


def difference(before: "dict[str, str]", after: "dict[str, str]") -> "list[str]":
    """Return a line for each file that is not in both, or not the same in both."""
    lines = []
    for path in sorted(before.keys() | after.keys()):
        old, new = before.get(path), after.get(path)
        if old is None:
            lines.append(f"new: {path}: {new}")
        elif new is None:
            lines.append(f"gone: {path}: {old}")
        elif old != new:
            lines.append(f"changed: {path}: {old} -> {new}")
    return lines


def main(arguments: "list[str]") -> int:
    """Run the command line and return the exit status."""
    verb, file = arguments
    if verb == "save":
        Path(file).write_text(json.dumps(snapshot()), encoding="utf-8")
        return 0
    lines = difference(json.loads(Path(file).read_text(encoding="utf-8")), snapshot())
    print("\n".join(lines))
    return 1 if lines else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
