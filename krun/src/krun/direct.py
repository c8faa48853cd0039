# SPDX-License-Identifier: Apache-2.0
"""Programs of the host that its policy lets run directly, without a VM, on `exec`.

They are the host's files, mounted read-only next to km, so an image's file of such a name does not
count. They must be static: the kernel would refuse the image's loader, which is `noexec`. Their
environment is krun's, for the container's is an image's: a shell runs the file that ENV names.
"""

from __future__ import annotations

import posix

from krun import document, mounts, record
from krun.errors import KrunError
from krun.rootfs import File

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection
    from typing import Any

    from krun.options import Options
    from krun.policy import Policy

FOLDER = f"{mounts.KM_FOLDER}/direct"
_TERM_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")
_LONGEST_TERM = 64
_LEFT_OUT = ("additional-gids", "apparmor", "cap", "process-label")
_HEADERS_SIZE = 4096  # bytes in which an ELF program's headers are
_PT_INTERP = 3


def place(name: str) -> str:
    """Return where the program that the policy calls NAME is in a container."""
    return f"{FOLDER}/{name.rpartition('/')[2]}"


def mounts_of(policy: Policy) -> list[dict[str, Any]]:
    """Return the mounts of the programs of POLICY that may run directly."""
    places = {place(name): program for name, program in policy.direct.items()}
    for program in places.values():
        _check(program, policy)
    return [mounts.of_host(program, where) for where, program in places.items()]


def find(args: list[str], policy: Policy, mounted: Collection[str]) -> str | None:
    """Return the program in the container that runs ARGS directly, None where a VM does.

    A container that was made before the policy named it has not MOUNTED it.
    """
    where = place(args[0]) if args and args[0] in policy.direct else None
    return where if where in mounted else None


def environment(env: list[str]) -> list[str]:
    """Return the environment of a program that runs directly, in a container whose own is ENV.

    It is where these programs are, no home, for which a backend would ask the image's list of users,
    and the kind of terminal if that is a plain name.
    """
    terms = [entry[len("TERM=") :] for entry in env if entry.startswith("TERM=")][-1:]
    plain = [t for t in terms if 0 < len(t) <= _LONGEST_TERM and _TERM_CHARACTERS.issuperset(t)]
    return [f"PATH={FOLDER}", "HOME=/dev/null", *(f"TERM={term}" for term in plain)]


def process(made: dict[str, Any], options: Options) -> dict[str, Any]:
    """Return the process that OPTIONS of `exec` ask for, in a container whose own was MADE."""
    asked = [f"--{name}" for name in _LEFT_OUT if options.has(name)]
    if asked:
        raise KrunError(
            f"cannot run a program directly with {', '.join(asked)}",
            "give a process document with --process",
        )
    found = {**made, "terminal": options.has("tty"), "cwd": options.get("cwd") or "/"}
    if options.has("no-new-privs"):
        found["noNewPrivileges"] = True
    user = options.get("user")
    if user is not None:
        ids = user.split(":")
        if len(ids) > 2 or not all(part.isascii() and part.isdigit() for part in ids):  # noqa: PLR2004
            raise KrunError(f"cannot run a program as {user!a}", "give numbers: --user=UID[:GID]")
        found["user"] = {"uid": int(ids[0]), "gid": int(ids[-1]) if ids[1:] else 0}
    return found


def note(args: list[str], policy: Policy, root: str, container_id: str) -> None:
    """Write down, before it happens, that ARGS run directly: in the log and for `krun list`."""
    members = {
        "root": root,
        "id": container_id,
        "args": args,
        "program": policy.direct[args[0]],
        "by": f"{policy.path}: direct.{args[0]}",
    }
    try:
        entry = record.log(policy.log, "direct", members)
        record.append(record.path(root, container_id, "direct"), entry)
    except OSError as reason:
        raise KrunError(
            f"cannot run {args[0]} directly: it cannot be written to {policy.log}: "
            f"{reason.strerror}",
            f'make room there, or name another file as "log" in {policy.path}',
        ) from None


def _check(program: str, policy: Policy) -> None:
    """Refuse PROGRAM if a user other than root could have written it, or it is not static."""
    try:
        file = File(posix.open(program, posix.O_PATH | posix.O_CLOEXEC), program)
    except OSError as reason:
        raise _unfit(program, policy, (reason.strerror or "").lower()) from None
    try:
        owner = posix.fstat(file.fd).st_uid
        if not file.is_regular or owner != 0 or file.mode & 0o022 or not file.mode & 0o111:
            found = f"uid {owner}, mode {file.mode:o}"
            raise _unfit(program, policy, f"it is not root's own executable file: {found}")
        if not is_static(file.head(_HEADERS_SIZE)):
            raise _unfit(program, policy, "it is not a static ELF64 program")
    finally:
        posix.close(file.fd)


def is_static(head: bytes) -> bool:
    """Say whether HEAD begins an ELF64 program that names no loader (elf(5))."""
    offset, size, count = (
        int.from_bytes(head[at : at + length], "little")
        for at, length in ((32, 8), (54, 2), (56, 2))
    )
    if head[:6] != b"\x7fELF\x02\x01" or not count or offset + size * count > len(head):
        return False
    starts = range(offset, offset + size * count, size or 1)
    return all(int.from_bytes(head[at : at + 4], "little") != _PT_INTERP for at in starts)


def _unfit(program: str, policy: Policy, why: str) -> KrunError:
    return KrunError(
        f"{program} may not run directly in containers: {why}",
        f'name a static program of root\'s in "direct" of {policy.path}, as busybox-static has',
    )


def runs(root: str, container_id: str) -> list[dict[str, Any]]:
    """Return what ran directly in a container, as it was written down."""
    return [
        {"args": document.strings(entry, "args"), "time": entry.get("time"), "by": entry.get("by")}
        for entry in record.entries(record.path(root, container_id, "direct"))
    ]
