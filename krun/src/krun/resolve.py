# SPDX-License-Identifier: Apache-2.0
"""Which program the container's first argument is, as execve(2) and a search of PATH would find it.

Engines tell a missing program from one that may not run by runc's words, so these are runc's.
"""

from __future__ import annotations

import errno
import posix

from krun.errors import CANNOT_RUN, NOT_FOUND, KrunError
from krun.rootfs import File, Rootfs, UnknownTreeError

MOST_INTERPRETERS = 5  # Linux's own limit of scripts that are interpreted by scripts
_HEAD = 256  # bytes that Linux looks at: BINPRM_BUF_SIZE
_ELF64_LITTLE = b"\x7fELF\x02\x01"
_SNAPSHOT = b"\x7fkmsnap\0"  # of a program in km; km/src/program/program.h
_X86_64 = b"\x3e\x00"  # e_machine


def resolve(tree: Rootfs, args: list[str], env: list[str], cwd: str) -> list[str]:
    """Return what follows km's options for a process that is given ARGS, ENV and CWD.

    A script becomes its interpreter with the script as argument, as Linux does it. A program that
    lies where only the running container can look is left to km.
    """
    name = args[0]
    try:
        path = name if "/" in name else _search(tree, name, env, cwd)
        return _payload(tree, path, args, cwd)
    except UnknownTreeError:
        search = [] if "/" in name else ["--search"]
        return ["--argv0", name, *search, "--", name, *args[1:]]


def _payload(tree: Rootfs, path: str, args: list[str], cwd: str) -> list[str]:
    argv = args
    file = _open_program(tree, path, cwd, f'exec: "{path}"')
    for _ in range(MOST_INTERPRETERS + 1):
        head = _head(file, args[0])
        if head[:2] != b"#!":
            _check_format(head, path)
            return ["--argv0", argv[0], "--", path, *argv[1:]]
        interpreter, *option = _interpreter(head, path)
        argv = [interpreter, *option, path, *argv[1:]]
        path = interpreter
        file = _open_program(tree, path, cwd, f'exec: "{args[0]}": its interpreter "{path}"')
    raise KrunError(
        f'cannot run the payload: exec: "{args[0]}": its interpreter is a script, and so on for '
        f"more than {MOST_INTERPRETERS} levels",
        "name a program in the script's first line",
        CANNOT_RUN,
    )


def _search(tree: Rootfs, name: str, env: list[str], cwd: str) -> str:
    """Return the path of NAME in the first directory of PATH that has a program of this name."""
    unknown = None
    for folder in _path_of(env):
        path = f"{folder or '.'}/{name}"
        try:
            found = tree.walk(path, cwd)
        except UnknownTreeError as reason:
            unknown = unknown or reason
            continue
        except (OSError, ValueError):
            continue
        posix.close(found.fd)
        if _is_program(found):
            if unknown:
                break
            return path
    if unknown:
        raise unknown
    raise KrunError(
        f'cannot run the payload: exec: "{name}": executable file not found in $PATH',
        "name a program that the image has, or set PATH in the container",
        NOT_FOUND,
    )


def _path_of(env: list[str]) -> list[str]:
    """Return the directories of the last PATH in ENV, none where it has none."""
    values = [entry[len("PATH=") :] for entry in env if entry.startswith("PATH=")]
    return values[-1].split(":") if values else []


def _open_program(tree: Rootfs, path: str, cwd: str, what: str) -> File:
    """Return the program at PATH, or raise what WHAT lacks."""
    try:
        file = tree.walk(path, cwd)
    except (OSError, ValueError) as reason:
        missing = getattr(reason, "errno", errno.EINVAL) in (errno.ENOENT, errno.ENOTDIR)
        text = str(getattr(reason, "strerror", reason)).lower()
        raise KrunError(
            f"cannot run the payload: {what}: stat {path}: {text}",
            "name a program that the image has",
            NOT_FOUND if missing else CANNOT_RUN,
        ) from None
    if not _is_program(file):
        found = f"mode {file.mode & 0o777:04o}" if file.is_regular else "not a regular file"
        raise KrunError(
            f"cannot run the payload: {what}: permission denied: {found}",
            "name a regular file with execute permission",
            CANNOT_RUN,
        )
    return file


def _is_program(file: File) -> bool:
    return file.is_regular and bool(file.mode & 0o111)


def _head(file: File, name: str) -> bytes:
    try:
        return file.head(_HEAD)
    except OSError as reason:
        raise KrunError(
            f'cannot run the payload: exec: "{name}": {(reason.strerror or "").lower()}',
            "look at the file on the host",
            CANNOT_RUN,
        ) from None
    finally:
        posix.close(file.fd)


def _interpreter(head: bytes, path: str) -> list[str]:
    """Return the words of a script's first line: an interpreter, and one argument at most."""
    line, newline, _ = head[2:].partition(b"\n")
    line = line.partition(b"\0")[0].lstrip(b" \t")
    name = line.partition(b" ")[0].partition(b"\t")[
        0
    ]  # not at \r, which Linux takes for a part of it
    option = line[len(name) :].strip(b" \t")
    cut = not newline and len(head) == _HEAD and len(name) == len(line)
    if not name or cut:
        raise _not_executable(path, "its first line names no interpreter")
    try:
        return [word.decode() for word in (name, option) if word]
    except UnicodeDecodeError:
        raise _not_executable(path, "the name of its interpreter is not UTF-8") from None


def _check_format(head: bytes, path: str) -> None:
    """Refuse what is neither an ELF program of this architecture nor a snapshot of one.

    The rest of it is km's to judge.
    """
    if head.startswith(_SNAPSHOT):
        return
    if head[:6] != _ELF64_LITTLE:
        raise _not_executable(path, "neither an ELF64 program nor a script with #!")
    if head[18:20] != _X86_64:
        machine = int.from_bytes(head[18:20], "little")
        raise _not_executable(path, f"an ELF program for machine {machine}, wanted 62 (x86-64)")


def _not_executable(path: str, why: str) -> KrunError:
    return KrunError(
        f'cannot run the payload: exec: "{path}": exec format error: {why}',
        "use an image for linux/amd64, and start a script with #! and its interpreter",
        CANNOT_RUN,
    )
