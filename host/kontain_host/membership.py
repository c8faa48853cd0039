# SPDX-License-Identifier: Apache-2.0
"""Members of a group as a change: one name in /etc/group and /etc/gshadow, and no other byte."""

from __future__ import annotations

import contextlib
import fcntl
import os
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Iterator, List, Optional

from .changes import Change
from .errors import HostError
from .files import Meta, State, write_atomic
from .host import Host
from .journal import Entry, Journal

GROUP = "/etc/group"
_FILES = (GROUP, "/etc/gshadow")
_LOCK = "/etc/.pwd.lock"  # lckpwdf(3): what useradd and usermod hold, too


@dataclass(frozen=True)
class Member(Change):
    """The user `user` is a member of the group `group`; the path is /etc/group."""

    kind: ClassVar[str] = "member"

    user: str = ""
    group: str = ""

    @classmethod
    def look(cls, host: Host, path: str, params: Dict[str, Any]) -> State:
        """Return whether the user is a member."""
        del path
        return {"type": "member", "present": params["user"] in members(host, params["group"])}

    def after(self, host: Host) -> State:
        """Return that the user is a member."""
        del host
        return {"type": "member", "present": True}

    def guard(self, host: Host, last: Optional[Entry]) -> None:
        """Refuse nothing: other members stay."""

    def before_content(self, host: Host) -> Optional[bytes]:
        """Return nothing: an undo takes back one name."""
        del host
        return None

    def params(self) -> Dict[str, Any]:
        """Return user and group."""
        return {"user": self.user, "group": self.group}

    def apply(self, host: Host, entry: Entry) -> None:
        """Add the user."""
        _set(host, self.params(), entry.temporary, member=True)

    def text(self, host: Host) -> str:
        """Return the members that will be."""
        names = [*members(host, self.group), self.user]
        return f"{self.group}: {' '.join(names)}\n"

    def text_now(self, host: Host) -> str:
        """Return the members that are."""
        return f"{self.group}: {' '.join(members(host, self.group))}\n"

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take the user out of the group, unless it was a member before."""
        del journal
        if not entry.before["present"]:
            _set(host, entry.params, entry.temporary, member=False)
        return None


def members(host: Host, group: str) -> List[str]:
    """Return the members of a group; raise HostError when there is no such group."""
    for line in host.path(GROUP).read_text().splitlines():
        fields = line.split(":")
        if fields[0] == group and len(fields) == 4:  # noqa: PLR2004  group(5)
            return _split(fields[3])
    raise HostError(
        f"cannot change the group {group}",
        f"{GROUP} has no such group",
        f"make it with `groupadd --system {group}`, and let udev give it the device",
    )


def _set(host: Host, params: Dict[str, Any], temporary: str, *, member: bool) -> None:
    """Let the user be a member or none in both files, one rename each."""
    with _password_lock(host):
        for file in _FILES:
            place = host.path(file)
            if not place.exists():
                continue
            info = place.stat()
            old = place.read_bytes()
            lines = old.splitlines(keepends=True)
            new = b"".join(_edited(line, params, member=member) for line in lines)
            if new != old:
                meta = Meta(info.st_mode & 0o7777, info.st_uid, info.st_gid)
                write_atomic(place, new, meta, temporary)


def _edited(line: bytes, params: Dict[str, Any], *, member: bool) -> bytes:
    """Return a line of group(5) or gshadow(5), whose fourth field are the members."""
    text = line.decode(errors="surrogateescape")
    body = text.rstrip("\n")
    fields = body.split(":")
    if fields[0] != params["group"] or len(fields) != 4:  # noqa: PLR2004  of the format
        return line
    names, user = _split(fields[3]), params["user"]
    if member == (user in names):
        return line
    names = [*names, user] if member else [name for name in names if name != user]
    fields[3] = ",".join(names)
    return (":".join(fields) + text[len(body) :]).encode(errors="surrogateescape")


def _split(field: str) -> List[str]:
    return [name for name in field.split(",") if name]


@contextlib.contextmanager
def _password_lock(host: Host) -> Iterator[None]:
    """Hold the lock that every tool takes which edits users and groups."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    fd = os.open(host.path(_LOCK), flags, 0o600)
    try:
        fcntl.lockf(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)
