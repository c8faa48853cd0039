# SPDX-License-Identifier: Apache-2.0
"""The typed operations that may be made on a host; each knows how it is taken back.

A new kind of change is a subclass of `Change`; a journal names its kind, so that `undo` finds it.
"""

from __future__ import annotations

import errno
import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional, Type

from .errors import HostError
from .files import (
    ABSENT,
    Meta,
    State,
    describe,
    link_atomic,
    read_state,
    remove_file,
    same,
    sync_directory,
    write_atomic,
)
from .host import Host
from .journal import Entry, Journal

KINDS: Dict[str, Type[Change]] = {}


@dataclass(frozen=True)
class Change:
    """The wanted state of the host's `path`; `owner` is the part that wants it, `reason` why."""

    kind: ClassVar[str] = ""

    path: str
    owner: str
    reason: str

    def __init_subclass__(cls) -> None:
        """Make the kind, if it is one, known to the journal's reader."""
        if cls.kind:
            KINDS[cls.kind] = cls

    def now(self, host: Host) -> State:
        """Return what stands there."""
        return self.look(host, self.path, self.params())

    @classmethod
    def look(cls, host: Host, path: str, params: Dict[str, Any]) -> State:
        """Return what stands at a host path; `params` are those of a change of this kind."""
        del params
        return read_state(host.path(path))

    def after(self, host: Host) -> State:
        """Return what this change makes."""
        raise NotImplementedError

    def is_pending(self, host: Host) -> bool:
        """Return whether the host is not yet as wanted."""
        return not same(self.now(host), self.after(host))

    def guard(self, host: Host, last: Optional[Entry]) -> None:
        """Raise HostError where the change would overwrite what is not ours.

        `last` is the latest change of this path that stands. Whatever is at the path must be its
        work, or nothing.
        """
        now = self.now(host)
        if now == ABSENT or (last is not None and same(now, last.after)):
            return
        whose = "was changed since Kontain made it" if last else "was not made by Kontain"
        raise HostError(
            f"cannot make the {self.kind} {self.path}",
            f"a {now['type']} is there that {whose}",
            f"move {self.path} away, then run this again",
        )

    def before_content(self, host: Host) -> Optional[bytes]:
        """Return the content that will be replaced, for the journal to keep."""
        place = host.path(self.path)
        return place.read_bytes() if self.now(host)["type"] == "file" else None

    def made_content(self, host: Host) -> Optional[bytes]:
        """Return the content that will be there, for the journal to keep; None: it is no text."""
        del host
        return None

    def params(self) -> Dict[str, Any]:
        """Return the facts that `undo` needs besides the journal's own fields."""
        return {}

    def apply(self, host: Host, entry: Entry) -> None:
        """Make the change; all or nothing."""
        raise NotImplementedError

    def is_settled(self, host: Host) -> bool:
        """Return whether the program that reads the path, if one runs, knows what is there."""
        del host
        return True

    def settle(self, host: Host) -> None:
        """Let the program that reads the path know what is there."""

    def text(self, host: Host) -> str:
        """Return what shall be there, as a person reads it."""
        return f"{describe(self.after(host))}\n"

    def text_now(self, host: Host) -> str:
        """Return what is there, as a person reads it."""
        now = self.now(host)
        return "" if now == ABSENT else f"{describe(now)}\n"

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take the change back; return None, or why something of it was left.

        May be called again after an interruption at any point.
        """
        raise NotImplementedError

    @classmethod
    def clean(cls, host: Host, entry: Entry) -> None:
        """Remove leftovers of an interrupted step next to the path."""
        remove_file(host.path(entry.path).parent / entry.temporary)


@dataclass(frozen=True)
class File(Change):
    """A regular file, whole."""

    kind: ClassVar[str] = "file"

    content: bytes = b""
    mode: int = 0o644

    def after(self, host: Host) -> State:
        """Return the state of the file that will be."""
        del host
        return content_state(self.content)

    def made_content(self, host: Host) -> Optional[bytes]:
        """Return the content."""
        del host
        return self.content

    def apply(self, host: Host, entry: Entry) -> None:
        """Replace the file."""
        place = host.path(self.path)
        write_atomic(place, self.content, Meta(self.mode), entry.temporary)

    def text(self, host: Host) -> str:
        """Return the content."""
        del host
        return self.content.decode(errors="replace")

    def text_now(self, host: Host) -> str:
        """Return the present content."""
        return (self.before_content(host) or b"").decode(errors="replace")

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Put the before-image back, unless the file was edited since."""
        now = read_state(host.path(entry.path))
        if same(now, entry.before):
            return None
        if not same(now, entry.after):
            return _foreign(now)
        restore(host, entry, journal.kept(str(entry.id)) if entry.kept else None)
        return None


@dataclass(frozen=True)
class Edit(Change):
    """A part of a file that belongs to another owner; all else in it stays as it is."""

    def edited(self, host: Host) -> bytes:
        """Return the file with this part in it."""
        raise NotImplementedError

    def after(self, host: Host) -> State:
        """Return the state of the edited file."""
        return content_state(self.edited(host))

    def guard(self, host: Host, last: Optional[Entry]) -> None:
        """Refuse nothing: an edit overwrites nothing of others."""

    def made_content(self, host: Host) -> Optional[bytes]:
        """Return the edited file."""
        return self.edited(host)

    def apply(self, host: Host, entry: Entry) -> None:
        """Replace the file, which keeps its mode and owner."""
        now = read_state(host.path(self.path))
        meta = Meta() if now == ABSENT else Meta(now["mode"], now["uid"], now["gid"])
        write_atomic(host.path(self.path), self.edited(host), meta, entry.temporary)

    def text(self, host: Host) -> str:
        """Return the edited file."""
        return self.edited(host).decode()

    def text_now(self, host: Host) -> str:
        """Return the present file."""
        return (self.before_content(host) or b"").decode(errors="replace")

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Make the file the one it was; a file edited since keeps that edit and loses ours."""
        now = read_state(host.path(entry.path))
        if same(now, entry.before):
            return None
        if now["type"] != "file":
            return _foreign(now)
        before = journal.kept(str(entry.id)) if entry.kept else None
        final = before if same(now, entry.after) else cls.without(host, entry, before)
        restore(host, entry, final)
        return None

    @classmethod
    def without(cls, host: Host, entry: Entry, before: Optional[bytes]) -> Optional[bytes]:
        """Return the file, edited since, without this part; `before` is its content before."""
        raise NotImplementedError


@dataclass(frozen=True)
class Link(Change):
    """A symbolic link."""

    kind: ClassVar[str] = "link"

    target: str = ""

    def after(self, host: Host) -> State:
        """Return the state of the link that will be."""
        del host
        return {"type": "link", "target": self.target}

    def apply(self, host: Host, entry: Entry) -> None:
        """Replace the link."""
        link_atomic(host.path(self.path), self.target, entry.temporary)

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Restore the link's target, unless another user or program moved it since."""
        del journal
        place = host.path(entry.path)
        now = read_state(place)
        if same(now, entry.before):
            return None
        if not same(now, entry.after):
            return _foreign(now)
        if entry.before["type"] == "link":
            link_atomic(place, entry.before["target"], entry.temporary)
        else:
            remove_file(place)
        return None


@dataclass(frozen=True)
class Directory(Change):
    """A directory, which is ours as long as nobody else keeps something in it."""

    kind: ClassVar[str] = "directory"

    mode: int = 0o755

    def after(self, host: Host) -> State:
        """Return the state of the directory that will be."""
        del host
        return {"type": "directory", "mode": self.mode}

    def is_pending(self, host: Host) -> bool:
        """Return whether there is no directory, also none by way of a symbolic link."""
        return not host.path(self.path).is_dir()

    def apply(self, host: Host, entry: Entry) -> None:
        """Make the directory; its mode does not depend on the umask."""
        del entry
        place = host.path(self.path)
        place.mkdir(self.mode)
        place.chmod(self.mode)
        sync_directory(place.parent)

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Remove the directory when it is empty."""
        del journal
        place = host.path(entry.path)
        now = read_state(place)
        if not same(now, entry.after):
            return None if now == ABSENT else _foreign(now)
        try:
            place.rmdir()
        except OSError as error:
            if error.errno not in (errno.ENOTEMPTY, errno.EEXIST):
                raise
            return f"it holds {', '.join(sorted(item.name for item in place.iterdir())[:3])}"
        sync_directory(place.parent)
        return None


def kind_of(entry: Entry) -> Type[Change]:
    """Return the kind of a journalled change; raise HostError where a newer version made it."""
    if entry.kind in KINDS:
        return KINDS[entry.kind]
    raise HostError(
        f"cannot look after {entry.path}",
        f"this version knows no changes of the kind {entry.kind!r}, only {', '.join(KINDS)}",
        "use the `kontain` of the version that made the change",
    )


def content_state(content: bytes) -> State:
    """Return the state of a file of that content."""
    return {"type": "file", "sha256": hashlib.sha256(content).hexdigest(), "size": len(content)}


def restore(host: Host, entry: Entry, content: Optional[bytes]) -> None:
    """Make the path the file `content`, or nothing when that is None.

    The time becomes that of the before-image. Mode and owner stay: no change alters them, so they
    are as before or as somebody has set them since.
    """
    place = host.path(entry.path)
    if content is None:
        remove_file(place)
        return
    remove_file(place.parent / entry.temporary)
    now = read_state(place)
    mtime_ns = entry.before.get("mtime_ns")
    meta = Meta(mtime_ns=mtime_ns)
    if now["type"] == "file":
        meta = Meta(now["mode"], now["uid"], now["gid"], mtime_ns)
    write_atomic(place, content, meta, entry.temporary)


def _foreign(now: State) -> str:
    if now == ABSENT:
        return "another user or program removed it"
    return "another user or program changed it since"


def missing_parents(host: Host, change: Change, folder: Optional[str] = None) -> List[Directory]:
    """Return the directories above a path that are not there yet, outermost first."""
    parent = str(Path(folder or change.path).parent)
    if host.path(parent).is_dir():
        return []
    reason = f"holds {change.path}"
    return [*missing_parents(host, change, parent), Directory(parent, change.owner, reason)]
