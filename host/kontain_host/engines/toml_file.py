# SPDX-License-Identifier: Apache-2.0
"""A merge into a TOML file of another owner, as a change that can be taken back."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, Iterator, List, Optional, Tuple

from ..changes import Edit
from ..errors import HostError
from ..host import Host
from ..journal import Entry
from ..looks import Document, TomlError
from .toml_edit import Wish, holds, merge, unmerge


@dataclass(frozen=True)
class TomlMerge(Edit):
    """Values (`wishes`) in a TOML file; all else in it stays as it is."""

    kind: ClassVar[str] = "toml"

    wishes: Tuple[Wish, ...] = ()

    def is_pending(self, host: Host) -> bool:
        """Return whether the file lacks one of the values."""
        text = read_text(host, self.path)
        with _named(self.path):
            return not all(holds(text, wish) for wish in self.wishes)

    def params(self) -> Dict[str, Any]:
        """Return the wishes."""
        return {"wishes": [[list(wish.path), wish.value, wish.is_item] for wish in self.wishes]}

    def edited(self, host: Host) -> bytes:
        """Return the file with the values in it."""
        text = read_text(host, self.path)
        with _named(self.path):
            return merge(text, self.wishes).encode()

    @classmethod
    def without(cls, host: Host, entry: Entry, before: Optional[bytes]) -> Optional[bytes]:
        """Return the file without the values."""
        return _final_content(host, entry, before)


def document(host: Host, path: str) -> Document:
    """Read a TOML file of the host; one that is not there is empty.

    Raises HostError that names the line when it is no TOML.
    """
    text = read_text(host, path)
    with _named(path):
        return Document(text)


def read_text(host: Host, path: str) -> str:
    """Return the text of a file of the host, "" where there is none."""
    place = host.path(path)
    try:
        return place.read_bytes().decode() if place.exists() else ""
    except UnicodeDecodeError as error:
        why = f"it is not UTF-8 ({error})"
        raise HostError(f"cannot edit {path}", why, f"convert {path} to UTF-8") from None


def _final_content(host: Host, entry: Entry, before: Optional[bytes]) -> Optional[bytes]:
    """Return what the edited file shall be without ours; None: nothing is left of it."""
    wishes: List[Wish] = [
        Wish(tuple(path), value, is_item) for path, value, is_item in entry.params["wishes"]
    ]
    with _named(entry.path):
        text = unmerge(read_text(host, entry.path), (before or b"").decode(), wishes)
    return None if before is None and not text.strip() else text.encode()


@contextlib.contextmanager
def _named(path: str) -> Iterator[None]:
    """Turn a TomlError into the error of a file."""
    try:
        yield
    except TomlError as error:
        fix = f"repair {path}, then run this again"
        raise HostError(f"cannot edit {path}", str(error), fix) from None
