# SPDX-License-Identifier: Apache-2.0
"""Edit docker's daemon.json in place: all that is not ours stays as it is, to the last blank."""

from __future__ import annotations

import json
import re
from typing import Any, List, Mapping, NamedTuple, Optional, Set

from ..errors import HostError

RUNTIMES = "runtimes"
DEFAULT = "default-runtime"

_BLANK = re.compile(r"[ \t\n\r]*")
_BOM = "\ufeff"
_DECODER = json.JSONDecoder()
_INDENT = "    "


class Member(NamedTuple):
    """One `"key": value` of an object; the numbers are offsets in the text."""

    key: str
    start: int
    value_start: int
    end: int


class Document:
    """The text of a daemon.json, judged when it is made.

    Raises HostError that names `path` when the text is no JSON object, has a key twice where it
    matters, or has `runtimes` that are no object. Empty text counts as an empty object, and a
    byte order mark for nothing, as for dockerd 23.0 and newer; an older one does not start with them.
    """

    def __init__(self, text: str, path: str) -> None:
        """Judge the text."""
        self.path = path
        self.text = text
        if not text.lstrip(_BOM).strip():
            self.text = text + "{}\n"
        try:
            self._value = json.loads(self.text.lstrip(_BOM))
        except (ValueError, RecursionError) as error:
            raise self._unusable(f"it is not JSON ({error})") from None
        if not isinstance(self._value, dict):
            raise self._unusable("its outermost value is not an object")
        if not isinstance(self._value.get(RUNTIMES, {}), dict):
            raise self._unusable(f'its "{RUNTIMES}" is not an object')
        self._refuse_twins(self._members(self._start))
        if self._runtimes_member:
            self._refuse_twins(self._members(self._runtimes_member.value_start))

    @classmethod
    def decode(cls, content: bytes, path: str) -> Document:
        """Take the content of a file, which must be UTF-8."""
        try:
            return cls(content.decode(), path)
        except UnicodeDecodeError as error:
            why = f"it is not UTF-8 ({error})"
            raise HostError(f"cannot edit {path}", why, f"convert {path} to UTF-8") from None

    def encode(self) -> bytes:
        """Return the content of a file."""
        return self.text.encode()

    @property
    def is_empty(self) -> bool:
        """Return whether nothing is configured."""
        return not self._value

    @property
    def default_runtime(self) -> Optional[str]:
        """Return the name of the default runtime, or None."""
        name = self._value.get(DEFAULT)
        return name if isinstance(name, str) else None

    @property
    def has_runtimes(self) -> bool:
        """Return whether there is the key "runtimes"."""
        return RUNTIMES in self._value

    @property
    def runtime_count(self) -> int:
        """Return how many runtimes are configured."""
        return len(self._value.get(RUNTIMES, {}))

    def runtime(self, name: str) -> Optional[Any]:
        """Return what is configured for a runtime, or None."""
        return self._value.get(RUNTIMES, {}).get(name)

    def runtime_path(self, name: str) -> Optional[str]:
        """Return the path of a runtime, or None when it is not there or has none."""
        value = self.runtime(name)
        path = value.get("path") if isinstance(value, dict) else None
        return path if isinstance(path, str) else None

    def with_runtimes(self, runtimes: Mapping[str, Any]) -> Document:
        """Return the document with these runtimes set to these values."""
        document = self
        if not document.has_runtimes:
            return document._set(document._start, RUNTIMES, dict(runtimes))
        for name, value in runtimes.items():
            if document.runtime(name) != value:
                document = document._set(document._runtimes_start, name, value)
        return document

    def without_runtimes(self, names: List[str]) -> Document:
        """Return the document without these runtimes, keeping `"runtimes": {}`."""
        document = self
        for name in names:
            if document.runtime(name) is not None:
                document = document._remove(document._runtimes_start, name)
        return document

    def with_key(self, key: str, value: Any) -> Document:
        """Return the document with an outer key set."""
        return self._set(self._start, key, value)

    def without_key(self, key: str) -> Document:
        """Return the document without an outer key."""
        return self._remove(self._start, key) if key in self._value else self

    @property
    def _start(self) -> int:
        """Return the offset of the outer object's brace."""
        return self.text.index("{")

    @property
    def _runtimes_member(self) -> Optional[Member]:
        members = [member for member in self._members(self._start) if member.key == RUNTIMES]
        return members[-1] if members else None

    @property
    def _runtimes_start(self) -> int:
        member = self._runtimes_member
        if member is None:
            raise KeyError(RUNTIMES)
        return member.value_start

    def _members(self, start: int) -> List[Member]:
        """Return the members of the object whose brace is at `start`."""
        members = []
        place = _skip(self.text, start + 1)
        while self.text[place] != "}":
            key, after_key = _DECODER.raw_decode(self.text, place)
            value_start = _skip(self.text, _skip(self.text, after_key) + 1)
            _, end = _DECODER.raw_decode(self.text, value_start)
            members.append(Member(key, place, value_start, end))
            place = _skip(self.text, end)
            if self.text[place] == ",":
                place = _skip(self.text, place + 1)
        return members

    def _set(self, start: int, key: str, value: Any) -> Document:
        members = self._members(start)
        for member in members:
            if member.key == key:
                indent = _line_indent(self.text, member.start)
                one_line = "\n" not in self.text[member.value_start : member.end]
                dumped = self._dump(value, indent, one_line=one_line)
                return self._spliced(member.value_start, member.end, dumped)
        if members:
            return self._appended(members, key, value)
        return self._filled(start, key, value)

    def _appended(self, members: List[Member], key: str, value: Any) -> Document:
        """Add a member after the last one, with the same blanks before it as that has."""
        last = members[-1]
        blank = self.text[: last.start][len(self.text[: last.start].rstrip()) :]
        indent = blank.rpartition("\n")[2] if "\n" in blank else ""
        dumped = self._dump(value, indent, one_line="\n" not in blank)
        return self._spliced(last.end, last.end, f",{blank}{json.dumps(key)}: {dumped}")

    def _filled(self, start: int, key: str, value: Any) -> Document:
        """Make the only member of an empty object."""
        outer = _line_indent(self.text, start)
        inner = outer + self._indent
        added = f"{json.dumps(key)}: {self._dump(value, inner)}"
        end = self.text.index("}", start) + 1
        return self._spliced(
            start, end, f"{{{self._newline}{inner}{added}{self._newline}{outer}}}"
        )

    def _remove(self, start: int, key: str) -> Document:
        members = self._members(start)
        index = [member.key for member in members].index(key)
        if len(members) == 1:
            return self._spliced(start, self.text.index("}", members[0].end) + 1, "{}")
        if index > 0:
            return self._spliced(members[index - 1].end, members[index].end, "")
        return self._spliced(members[0].start, members[1].start, "")

    def _spliced(self, start: int, end: int, new: str) -> Document:
        return Document(self.text[:start] + new + self.text[end:], self.path)

    def _dump(self, value: Any, indent: str, *, one_line: bool = False) -> str:
        """Return JSON text for a value that stands in a line indented by `indent`."""
        if one_line:
            return json.dumps(value, ensure_ascii=False)
        lines = json.dumps(value, ensure_ascii=False, indent=self._indent)
        return lines.replace("\n", self._newline + indent)

    @property
    def _indent(self) -> str:
        """Return what the text indents by: the blanks before its first member."""
        members = self._members(self._start)
        blank = _line_indent(self.text, members[0].start) if members else ""
        return blank or _INDENT

    @property
    def _newline(self) -> str:
        return "\r\n" if "\r\n" in self.text else "\n"

    def _refuse_twins(self, members: List[Member]) -> None:
        seen: Set[str] = set()
        for member in members:
            if member.key in seen:
                key = json.dumps(member.key)
                fix = f"repair {self.path}: remove one of the two {key}, of which dockerd takes the last"
                raise HostError(f"cannot edit {self.path}", f"it has the key {key} twice", fix)
            seen.add(member.key)

    def _unusable(self, why: str) -> HostError:
        return HostError(
            f"cannot edit {self.path}",
            why,
            f"repair {self.path} (`python3 -m json.tool {self.path}` shows what is wrong)",
        )


def _skip(text: str, place: int) -> int:
    match = _BLANK.match(text, place)
    return match.end() if match else place


def _line_indent(text: str, place: int) -> str:
    """Return the blanks that open the line in which `place` lies."""
    line = text[text.rfind("\n", 0, place) + 1 : place]
    return line[: len(line) - len(line.lstrip(" \t"))]
