# SPDX-License-Identifier: Apache-2.0
"""The write-ahead journal: one JSON object a line, on the disk before the change that it names.

Events, by their key `event`:

begin, commit, rolled-back
    a transaction (`transaction`, `what`) opens and ends;
intent
    a change is about to be made: all fields of `Entry`;
done, undone
    the change `id` was made; was taken back (`outcome` says how it ended);
via
    on the way back the change `id` passes the state `state`; from there the file becomes the
    one kept in `final`, or goes when `final` is null.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import time
from dataclasses import asdict, dataclass, field
from typing import Any, Dict, List, Optional

from .errors import HostError
from .files import State, sync_directory
from .host import STATE, Host

FILE = "journal.jsonl"
JOURNAL = f"{STATE}/{FILE}"


@dataclass
class Entry:
    """One journalled change: its kind, the state before, and the state after."""

    id: int
    transaction: int
    kind: str
    path: str
    owner: str
    reason: str
    before: State
    after: State
    temporary: str
    kept: bool = False
    params: Dict[str, Any] = field(default_factory=dict)
    time: str = ""
    done: bool = False
    undone: Optional[str] = None
    via: List[Dict[str, Any]] = field(default_factory=list)

    @property
    def active(self) -> bool:
        """Return whether the change still stands, or may stand."""
        return self.undone is None


class Journal:
    """The journal of a host: the entries in the order in which they were made."""

    def __init__(self, host: Host) -> None:
        """Read the journal; a last line that was cut off was never acted upon, and is no line."""
        self.file = host.path(f"{host.state}/{FILE}")
        self.before = host.path(f"{host.state}/before")
        self.entries: Dict[int, Entry] = {}
        self.transactions: Dict[int, str] = {}
        self.open_transaction: Optional[int] = None
        self._good_size = 0
        for number, line in enumerate(self._lines(), start=1):
            self._read(number, line)

    def active(self) -> List[Entry]:
        """Return the changes that stand, oldest first."""
        return [entry for entry in self.entries.values() if entry.active]

    def last(self, path: str) -> Optional[Entry]:
        """Return the latest change of `path` that stands, or None."""
        found = [entry for entry in self.active() if entry.path == path]
        return found[-1] if found else None

    def begin(self, what: str) -> int:
        """Open a transaction and return its number."""
        number = max(self.transactions, default=0) + 1
        self._append({"event": "begin", "transaction": number, "what": what})
        return number

    def end(self, transaction: int, event: str) -> None:
        """Close a transaction with `commit` or `rolled-back`."""
        self._append({"event": event, "transaction": transaction})

    def intend(self, entry: Entry, content: Optional[bytes], made: Optional[bytes] = None) -> None:
        """Write a change down before it is made.

        Keeps the `content` that it will replace, and what it will have `made`: the base of a
        three-way difference.
        """
        if content is not None:
            entry.kept = True
            self.keep(str(entry.id), content)
        if made is not None:
            self.keep(_made(entry), made)
        fields = asdict(entry)
        for derived in ("done", "undone", "via", "time"):
            del fields[derived]
        self._append({"event": "intent", **fields})

    def done(self, entry: Entry) -> None:
        """Write down that a change was made."""
        self._append({"event": "done", "id": entry.id})

    def undone(self, entry: Entry, outcome: str) -> None:
        """Write down that a change was taken back."""
        self._append({"event": "undone", "id": entry.id, "outcome": outcome})

    def pass_by(self, entry: Entry, state: State, final: Optional[bytes]) -> None:
        """Write down a state on the way back, and keep the content that shall follow it."""
        name = f"{entry.id}.final" if final is not None else None
        if final is not None:
            self.keep(f"{entry.id}.final", final)
        self._append({"event": "via", "id": entry.id, "state": state, "final": name})

    def next_id(self) -> int:
        """Return the number of the next change."""
        return self.last_id() + 1

    def last_id(self) -> int:
        """Return the number of the last change, 0 where there was none."""
        return max(self.entries, default=0)

    def keep(self, name: str, content: bytes) -> None:
        """Store content below the folder of before-images, which only root may read."""
        if not self.before.is_dir():
            self.before.mkdir(mode=0o700)
        fd = os.open(
            self.before / name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600
        )
        with open(fd, "wb") as file:  # noqa: PTH123  a descriptor
            file.write(content)
            file.flush()
            os.fsync(fd)
        sync_directory(self.before)

    def kept(self, name: str) -> bytes:
        """Return what `keep` stored."""
        return (self.before / name).read_bytes()

    def made(self, entry: Entry) -> Optional[bytes]:
        """Return the content that a change made, or None where it was none."""
        with contextlib.suppress(FileNotFoundError):
            return self.kept(_made(entry))
        return None

    def remove(self) -> None:
        """Remove the journal and its before-images, and their folder if nobody else uses it."""
        shutil.rmtree(self.before, ignore_errors=True)
        with contextlib.suppress(FileNotFoundError):
            self.file.unlink()
        with contextlib.suppress(OSError):  # install.sh may keep its Ansible there
            self.file.parent.rmdir()

    def _append(self, record: Dict[str, Any]) -> None:
        """Add a line and have it on the disk before returning; a failed line leaves no trace."""
        record = {"time": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()), **record}
        line = json.dumps(record, separators=(",", ":")).encode() + b"\n"
        fd = os.open(self.file, os.O_WRONLY | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o644)
        try:
            os.fchmod(fd, 0o644)
            os.ftruncate(fd, self._good_size)
            written = os.pwrite(fd, line, self._good_size)
            if written < len(line):
                os.pwrite(fd, line[written:], self._good_size + written)
            os.fsync(fd)
        finally:
            os.close(fd)
        if self._good_size == 0:
            sync_directory(self.file.parent)
        self._good_size += len(line)
        self._apply(record)

    def _lines(self) -> List[bytes]:
        try:
            content = self.file.read_bytes()
        except FileNotFoundError:
            return []
        self._good_size = content.rfind(b"\n") + 1
        return content[: self._good_size].split(b"\n")[:-1]

    def _read(self, number: int, line: bytes) -> None:
        try:
            self._apply(json.loads(line))
        except (ValueError, KeyError, TypeError) as error:
            raise HostError(
                "cannot read the journal",
                f"line {number} of {self.file} is not one of its events ({error})",
                f"restore {self.file} from a backup, or remove that line by hand",
            ) from None

    def _apply(self, record: Dict[str, Any]) -> None:
        """Bring the picture in memory up to date with one event."""
        event = record["event"]
        if event == "begin":
            self.transactions[record["transaction"]] = record["what"]
            self.open_transaction = record["transaction"]
        elif event in ("commit", "rolled-back"):
            self.open_transaction = None
        elif event == "intent":
            fields = {name: value for name, value in record.items() if name != "event"}
            self.entries[record["id"]] = Entry(**fields)
        elif event == "done":
            self.entries[record["id"]].done = True
        elif event == "undone":
            self.entries[record["id"]].undone = record["outcome"]
        elif event == "via":
            self.entries[record["id"]].via.append(record)
        else:
            message = f"unknown event {event!r}"
            raise ValueError(message)


def _made(entry: Entry) -> str:
    return f"{entry.id}.made"
