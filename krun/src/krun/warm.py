# SPDX-License-Identifier: Apache-2.0
"""Snapshots of languages, from which containers start where the host's policy says so.

`kontain image snapshot` (kontain-image(1)) makes them, each a folder of root's with the snapshot and
what it was made of. One that does not fit exactly is none: the container starts as without it, and the
log says why.
"""

from __future__ import annotations

import posix
from _stat import S_ISDIR, S_ISREG

from krun import document, mounts, record
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from krun.policy import Policy
    from krun.rootfs import Rootfs

PLACE = "/dev/.kontain/snapshot"
"""Where the container has it."""
_ABOUT = "about.json"
_SNAPSHOT = "snapshot"
_READ = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOFOLLOW | posix.O_NONBLOCK
_MOST = 1 << 20  # bytes of a description
_UMASK = 0o22  # the snapshot's


class UnfitError(Exception):
    """Why a snapshot is not used."""


class Warm:
    """The snapshots below one folder, which must be root's alone to change."""

    def __init__(self, folder: str) -> None:
        """Keep where they are."""
        self.folder = folder

    def choose(self, tree: Rootfs, process: dict[str, Any], km: str, linux: dict[str, Any]) -> str:
        """Return the path of the snapshot for the PROCESS in TREE that runs in KM, or "".

        An UnfitError says why there is none, where one is of this program.
        """
        program, words = _payload(process)
        for name in _names(self.folder):
            place = f"{self.folder}/{name}"
            about = _read_about(place)
            if program in document.strings(about, "programs"):
                _check_users(linux)
                _check_host(about, km)
                _check_file(about, f"{place}/{_SNAPSHOT}")
                _check_process(about, process, words)
                _check_image(about, tree)
                return f"{place}/{_SNAPSHOT}"
        return ""


def find(
    policy: Policy, tree: Rootfs, process: dict[str, Any], km: str, linux: dict[str, Any]
) -> str:
    """Return the snapshot to start the PROCESS of a container from whose member `linux` is LINUX, or "".

    Where there is one that does not fit, a line in the POLICY's log says why.
    """
    try:
        return Warm(policy.snapshots).choose(tree, process, km, linux)
    except UnfitError as reason:
        why = str(reason)
    except OSError as reason:
        why = f"{reason.filename or policy.snapshots}: {reason.strerror}"
    except (KrunError, ValueError) as reason:
        why = f"its {_ABOUT} is wrong: {reason}"
    try:
        record.log(policy.log, "no snapshot", {"program": _payload(process)[0], "why": why})
    except OSError:
        return ""  # the ordinary start needs no log
    return ""


def _payload(process: dict[str, Any]) -> tuple[str, list[str]]:
    """Return the program that km runs for PROCESS, and the words behind it."""
    args: list[str] = process["args"]
    at = args.index("--") + 1
    return args[at], args[at + 1 :]


def instead(process: dict[str, Any]) -> dict[str, Any]:
    """Return PROCESS with the snapshot as km's program."""
    args = process["args"]
    at = args.index("--") + 1
    return {**process, "args": [*args[:at], PLACE, *args[at + 1 :]]}


def _names(folder: str) -> list[str]:
    found = posix.stat(folder)
    if not S_ISDIR(found.st_mode) or found.st_uid or found.st_mode & 0o022:
        raise UnfitError(f"{folder} is not root's alone to change")
    return sorted(name for name in posix.listdir(folder) if name[0] != ".")


def _open(path: str) -> tuple[int, posix.stat_result]:
    """Return a descriptor of root's own file PATH, and what it is."""
    fd = posix.open(path, _READ)
    found = posix.fstat(fd)
    if not S_ISREG(found.st_mode) or found.st_uid or found.st_mode & 0o022:
        posix.close(fd)
        raise UnfitError(f"{path} is not root's alone to change")
    return fd, found


def _read_about(place: str) -> dict[str, Any]:
    found = posix.lstat(place)
    if not S_ISDIR(found.st_mode) or found.st_uid or found.st_mode & 0o022:
        raise UnfitError(f"{place} is not root's alone to change")
    fd, _ = _open(f"{place}/{_ABOUT}")
    try:
        text = posix.read(fd, _MOST).decode()
    finally:
        posix.close(fd)
    about = document.loads(text)
    if not isinstance(about, dict):
        raise ValueError("it is no object")  # noqa: TRY004 - as for any other wrong text
    return about


def _same(about: dict[str, Any], name: str, found: object, what: str) -> None:
    if about.get(name) != found:
        raise UnfitError(f"{what}: found {found!r}, wanted {about.get(name)!r}")


def _check_host(about: dict[str, Any], km: str) -> None:
    """Refuse one of another km, kernel or boot; the CPU is the boot's."""
    fd = posix.open("/proc/sys/kernel/random/boot_id", posix.O_RDONLY | posix.O_CLOEXEC)
    boot = posix.read(fd, 64).decode().strip()
    posix.close(fd)
    _same(about, "km", _identity(posix.stat(km)), f"it was made by another km than {km}")
    _same(about, "kernel", posix.uname().release, "it was made under another kernel")
    _same(about, "boot", boot, "it was made before this boot")


def _identity(found: posix.stat_result) -> list[int]:
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _check_users(linux: dict[str, Any]) -> None:
    if mounts.has_users(linux):
        raise UnfitError("the container has users of its own, who cannot open root's files")


def _check_file(about: dict[str, Any], path: str) -> None:
    fd, found = _open(path)
    posix.close(fd)
    _same(about, "snapshot", _identity(found), f"{path} is not the one that was made")


def _check_process(about: dict[str, Any], process: dict[str, Any], words: list[str]) -> None:
    """Refuse a process that starts otherwise than the snapshot can resume."""
    options = document.strings(about, "options")
    if not words or (words[0][:1] == "-" and (words[0] not in options or len(words) == 1)):
        raise UnfitError(f"it takes a script, or one of {', '.join(options)}: found {words[:1]!r}")
    _same(about, "folder", document.member(process, "cwd", str) or "/", "another folder")
    prefixes = tuple(document.strings(about, "prefixes"))
    entries = [entry.partition("=") for entry in document.strings(process, "env")]
    found = {name: value for name, _, value in entries if name.startswith(prefixes)}
    _same(about, "environment", found, "another environment")
    user = document.member(process, "user", dict) or {}
    if user.get("umask", _UMASK) != _UMASK:
        raise UnfitError(f"another umask: found {user['umask']}, wanted {_UMASK}")


def _check_image(about: dict[str, Any], tree: Rootfs) -> None:
    """Refuse an image in which a file that the snapshot has read is not the same.

    A wrong answer would harm the container alone: it runs what the host's snapshot has.
    """
    files = document.member(about, "files", dict) or {}
    for folder, wanted in files.items():
        if any(place == folder or place.startswith(f"{folder}/") for place in tree.places):
            raise UnfitError(f"something is mounted at or below {folder}")
        _check_folder(tree, folder, wanted)
    for path in document.strings(about, "absent"):
        _check_absent(tree, path)


def _check_absent(tree: Rootfs, path: str) -> None:
    """Refuse a container that has the file PATH, which the snapshot did not find."""
    try:
        found = tree.walk(path)
    except OSError:
        return
    except Exception as reason:  # noqa: BLE001 - a tree that is not known
        raise UnfitError(f"it cannot be told whether the container has {path}: {reason}") from None
    posix.close(found.fd)
    raise UnfitError(f"the container has {path}")


def _check_folder(tree: Rootfs, folder: str, wanted: Mapping[str, list[int]]) -> None:
    try:
        found = tree.walk(folder)
    except Exception as reason:  # noqa: BLE001 - a tree that is not known, or lacks it
        raise UnfitError(f"the image has no {folder} that can be looked at: {reason}") from None
    try:
        for name, facts in wanted.items():
            file = posix.stat(name, dir_fd=found.fd, follow_symlinks=False)
            if [file.st_size, int(file.st_mtime)] != facts:
                raise UnfitError(f"the image has another {folder}/{name}")
    finally:
        posix.close(found.fd)
