# SPDX-License-Identifier: Apache-2.0
"""Edit TOML as text: all that is not ours stays as it is, comments, order and blanks included.

It reads TOML 1.0 as far as to know where each statement begins and ends and what it defines
(https://toml.io/en/v1.0.0); the Python of a host may be older than tomllib.
"""

from __future__ import annotations

import re
from typing import Any, Dict, Iterator, List, Match, NamedTuple, Optional, Pattern, Tuple

Key = Tuple[str, ...]

ARRAY_ITEM = "[]"
"""Stands in the path of what is in an array of tables, for no key of ours is in one."""

_BARE = re.compile(r"[A-Za-z0-9_-]+")
_BLANK = re.compile(r"[ \t]*")
_SPACE = re.compile(r"(?:[ \t\r\n]+|#[^\n]*)*")
_SCALAR = re.compile(r"[A-Za-z0-9_+:. -]*[A-Za-z0-9_+:.-]")
_COMMENT = re.compile(r"[ \t]*(?:#[^\n]*?)?(\r?\n|\Z)")
_BASIC = re.compile(r'"(?:[^"\\\n]|\\[^\n])*"')
_LITERAL = re.compile(r"'[^'\n]*'")
_MULTI_BASIC = re.compile(r'"""(?:[^\\]|\\.)*?"""(?!")"{0,2}', re.DOTALL)
_MULTI_LITERAL = re.compile(r"'''.*?'''(?!')'{0,2}", re.DOTALL)
_ESCAPE = re.compile(r"\\(u[0-9A-Fa-f]{4}|U[0-9A-Fa-f]{8}|[btnfre\"\\])")
_ESCAPES = {"b": "\b", "t": "\t", "n": "\n", "f": "\f", "r": "\r", "e": "\x1b"}
_DEEPEST = 60  # arrays in arrays


class TomlError(ValueError):
    """A text that is no TOML as far as it was read; the message names the line."""


class Statement(NamedTuple):
    """A header or a `key = value`; the numbers are offsets in the text.

    `kind` is "table", "array" (a header of an array of tables) or "key"; `table` the header's path
    that it stands below, `path` its own from the outermost table on; `end` is past its line.
    """

    kind: str
    table: Key
    path: Key
    start: int
    value: Tuple[int, int]
    end: int


class Document:
    """The text of a TOML file, taken apart into statements."""

    def __init__(self, text: str) -> None:
        """Take the text apart; raise TomlError where it is no TOML."""
        self.text = text
        self.statements = list(_statements(text))
        self._paths: Dict[Key, Statement] = {}
        for statement in self.statements:
            twin = self._paths.get(statement.path)
            if twin and statement.kind != "array" and ARRAY_ITEM not in statement.path:
                raise _error(text, statement.start, f"{dotted(statement.path)} is there twice")
            self._paths[statement.path] = statement

    def statement(self, path: Key) -> Optional[Statement]:
        """Return what defines `path` itself, or None."""
        return self._paths.get(path)

    def value(self, path: Key) -> Any:
        """Return the string, integer, boolean, array or inline table of these, None for others."""
        found = self._paths.get(path)
        if found is None or found.kind != "key":
            return None
        return _plain(self.text[slice(*found.value)])

    def tree(self) -> Dict[str, Any]:
        """Return all that the text defines, but for arrays of tables, as dicts in dicts."""
        found: Dict[str, Any] = {}
        for one in self.statements:
            if one.kind == "key" and ARRAY_ITEM not in one.path:
                _put(found, one.path, _plain(self.text[slice(*one.value)]))
        return found

    def below(self, path: Key) -> List[Statement]:
        """Return the statements that define something below `path`."""
        return [one for one in self.statements if one.path[: len(path)] == path != one.path]

    @property
    def newline(self) -> str:
        """Return how the text ends its lines."""
        return "\r\n" if "\r\n" in self.text else "\n"


def dotted(path: Key) -> str:
    """Return a path as TOML writes it."""
    return ".".join(part if _BARE.fullmatch(part) else quoted(part) for part in path)


def quoted(text: str) -> str:
    """Return a basic string of TOML."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + "".join(c if c.isprintable() else f"\\U{ord(c):08X}" for c in escaped) + '"'


def _statements(text: str) -> Iterator[Statement]:
    place, table = len(text) - len(text.lstrip("\ufeff")), ()  # type: Tuple[int, Key]
    arrays: List[Key] = []
    while True:
        place = _skip(_SPACE, text, place)
        if place == len(text):
            return
        start = place
        if text[place] == "[":
            statement = _header(text, place)
            written = statement.path
            if statement.kind == "array" and written not in arrays:
                arrays.append(written)
            inside = any(written[: len(array)] == array for array in arrays)
            table = (*written, ARRAY_ITEM) if inside else written
            yield statement._replace(table=table, path=table)
        else:
            keys, place = _keys(text, place)
            if text[place : place + 1] != "=":
                raise _error(text, place, "wanted =")
            begin = _skip(_BLANK, text, place + 1)
            close = _value(text, begin)
            path = (*table, *keys)
            statement = Statement("key", table, path, start, (begin, close), _line(text, close))
            yield statement
        place = statement.end


def _header(text: str, start: int) -> Statement:
    brackets = 2 if text.startswith("[[", start) else 1
    path, place = _keys(text, start + brackets)
    if not text.startswith("]" * brackets, place):
        raise _error(text, place, f"wanted {']' * brackets}")
    kind = "array" if brackets == 2 else "table"  # noqa: PLR2004  [[
    return Statement(kind, path, path, start, (start, start), _line(text, place + brackets))


def _keys(text: str, place: int) -> Tuple[Key, int]:
    """Return a dotted key, and the place after it and the blanks that follow."""
    parts: List[str] = []
    while True:
        place = _skip(_BLANK, text, place)
        for pattern in (_BARE, _BASIC, _LITERAL):
            match = pattern.match(text, place)
            if match:
                break
        else:
            raise _error(text, place, "wanted a key")
        parts.append(match[0] if pattern is _BARE else _string(match[0]))
        place = _skip(_BLANK, text, match.end())
        if text[place : place + 1] != ".":
            return tuple(parts), place
        place += 1


def _value(text: str, place: int, depth: int = 0) -> int:
    """Return the place after the value that begins at `place`."""
    if depth > _DEEPEST:
        raise _error(text, place, f"wanted at most {_DEEPEST} arrays in arrays")
    if text[place : place + 1] == "[":
        return _array(text, place, depth)
    if text[place : place + 1] == "{":
        return _inline_table(text, place, depth)
    for opening, pattern in (
        ('"""', _MULTI_BASIC),
        ("'''", _MULTI_LITERAL),
        ('"', _BASIC),
        ("'", _LITERAL),
        ("", _SCALAR),
    ):
        if text.startswith(opening, place):
            match = pattern.match(text, place)
            if match is None:
                break
            return match.end()
    raise _error(text, place, "wanted a value")


def _array(text: str, place: int, depth: int) -> int:
    place = _skip(_SPACE, text, place + 1)
    while text[place : place + 1] != "]":
        place = _skip(_SPACE, text, _value(text, place, depth + 1))
        if text[place : place + 1] == ",":
            place = _skip(_SPACE, text, place + 1)
        elif text[place : place + 1] != "]":
            raise _error(text, place, "wanted , or ]")
    return place + 1


def _inline_table(text: str, place: int, depth: int) -> int:
    place = _skip(_BLANK, text, place + 1)
    while text[place : place + 1] != "}":
        _, place = _keys(text, place)
        if text[place : place + 1] != "=":
            raise _error(text, place, "wanted =")
        place = _value(text, _skip(_BLANK, text, place + 1), depth + 1)
        place = _skip(_BLANK, text, place)
        if text[place : place + 1] == ",":
            place = _skip(_BLANK, text, place + 1)
        elif text[place : place + 1] != "}":
            raise _error(text, place, "wanted , or }")
    return place + 1


def _line(text: str, place: int) -> int:
    """Return the place after the line's end; only a comment may stand before it."""
    match = _COMMENT.match(text, place)
    if match is None:
        raise _error(text, place, "wanted the end of the line")
    return match.end()


def _skip(pattern: Pattern[str], text: str, place: int) -> int:
    match = pattern.match(text, place)
    return match.end() if match else place


def _put(into: Dict[str, Any], path: Key, value: Any) -> None:
    for part in path[:-1]:
        inner = into.setdefault(part, {})
        if not isinstance(inner, dict):
            return
        into = inner
    into[path[-1]] = value


def _plain(raw: str) -> Any:
    """Return the Python value of a string, integer, boolean, array or inline table; else None."""
    if raw[:3] in ('"""', "'''"):
        return _multi_line(raw)
    if raw[0] in "\"'":
        return _string(raw)
    if raw[0] == "{":
        table: Dict[str, Any] = {}
        for path, start, end in _members(raw):
            _put(table, path, _plain(raw[start:end]))
        return table
    if raw in ("true", "false"):
        return raw == "true"
    if raw[0] == "[":
        return [_plain(raw[start:end]) for start, end in items(raw)]
    return int(raw) if re.fullmatch(r"[+-]?\d+", raw) else None


def items(array: str) -> List[Tuple[int, int]]:
    """Return where in the text of an array its items are."""
    found: List[Tuple[int, int]] = []
    place = _skip(_SPACE, array, 1)
    while array[place] != "]":
        end = _value(array, place)
        found.append((place, end))
        place = _skip(_SPACE, array, end)
        if array[place] == ",":
            place = _skip(_SPACE, array, place + 1)
    return found


def _members(table: str) -> Iterator[Tuple[Key, int, int]]:
    """Yield key, and where its value is, of each in the text of an inline table."""
    place = _skip(_BLANK, table, 1)
    while table[place] != "}":
        path, place = _keys(table, place)
        start = _skip(_BLANK, table, place + 1)
        end = _value(table, start)
        yield path, start, end
        place = _skip(_BLANK, table, end)
        if table[place] == ",":
            place = _skip(_BLANK, table, place + 1)


def _string(raw: str) -> str:
    body = raw[1:-1]
    return body if raw[0] == "'" else _ESCAPE.sub(_unescaped, body)


def _multi_line(raw: str) -> str:
    """Return a string of several lines, which end in a newline however the file ends its own."""
    body = re.sub(r"\A\n", "", raw[3:-3].replace("\r\n", "\n"))
    if raw[0] == "'":
        return body
    return _ESCAPE.sub(_unescaped, re.sub(r"\\[ \t]*\n[ \t\n]*", "", body))


def _unescaped(match: Match[str]) -> str:
    escape = match[1]
    if escape[0] in "uU" and len(escape) > 1:
        return chr(min(int(escape[1:], 16), 0x10FFFF))
    return _ESCAPES.get(escape, escape)


def _error(text: str, place: int, why: str) -> TomlError:
    line = text.count("\n", 0, place) + 1
    found = text[place : place + 20].split("\n", maxsplit=1)[0]
    return TomlError(f"line {line}: {why}, found {found!r}")
