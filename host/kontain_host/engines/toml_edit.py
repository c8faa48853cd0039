# SPDX-License-Identifier: Apache-2.0
"""Merge wishes into the text of a TOML file, and take them out of it again."""

from __future__ import annotations

from typing import Dict, List, NamedTuple, Sequence, Tuple

from ..looks import Document, Key, Statement, TomlError, dotted, items

Splice = Tuple[int, int, str]
"""The text between two offsets becomes this text."""


class Wish(NamedTuple):
    """`path` shall have a value, which is written in TOML; or be an array that has it as an item."""

    path: Key
    value: str
    is_item: bool = False


def holds(text: str, wish: Wish) -> bool:
    """Return whether a text has what a wish wants."""
    document = Document(text)
    found = document.statement(wish.path)
    if found is None or found.kind != "key":
        return False
    raw = text[slice(*found.value)]
    if not wish.is_item:
        return raw == wish.value
    return raw.startswith("[") and wish.value in [raw[slice(*item)] for item in items(raw)]


def merge(text: str, wishes: Sequence[Wish]) -> str:
    """Return the text with all wishes fulfilled; one that is already changes nothing.

    Raises TomlError when the text is no TOML, or where a wish has no place: below a value, or an
    array of tables.
    """
    for splice in reversed(_splices(text, wishes)):
        text = _spliced(text, splice)
    Document(text)
    return text


def unmerge(text: str, before: str, wishes: Sequence[Wish]) -> str:
    """Return the text without what `merge` put into `before`; edits of others stay.

    What merge wrote is taken out as it was written; where somebody edited that very place, the
    statement that still has our value goes. Raises TomlError when the text is no TOML.
    """
    if merge(before, wishes) == text:
        return before
    for start, end, new in reversed(_splices(before, wishes)):
        if start == end and new.endswith("\n"):
            shorter = _without_lines(text, new)
            text = (
                shorter
                if _foreign_paths(text, wishes) == _foreign_paths(shorter, wishes)
                else text
            )
    for wish in wishes:
        if not holds(before, wish) and holds(text, wish):
            text = _without(text, before, wish)
    Document(text)
    return text


def _without_lines(text: str, lines: str) -> str:
    """Return the text without these lines, where they stand in it exactly once."""
    if "\r\n" not in text:
        lines = lines.replace("\r\n", "\n")
    elif "\r\n" not in lines:
        lines = lines.replace("\n", "\r\n")
    place = text.find(lines)
    opens_line = place == 0 or text[place - 1 : place] == "\n" or lines[0] in "\r\n"
    if place < 0 or text.count(lines) > 1 or not opens_line:
        return text
    return text[:place] + text[place + len(lines) :]


def _foreign_paths(text: str, wishes: Sequence[Wish]) -> List[Key]:
    """Return the paths of the values that are none of ours."""
    ours = [wish.path for wish in wishes]
    found = Document(text).statements
    return [one.path for one in found if one.kind == "key" and one.path not in ours]


def _spliced(text: str, splice: Splice) -> str:
    start, end, new = splice
    return text[:start] + new + text[end:]


def _splices(text: str, wishes: Sequence[Wish]) -> List[Splice]:
    """Return what `merge` does to a text, in the order of the places."""
    document = Document(text)
    found: List[Splice] = []
    tables: Dict[Key, List[Wish]] = {}
    for wish in wishes:
        if holds(text, wish):
            continue
        statement = document.statement(wish.path)
        if statement is None:
            tables.setdefault(wish.path[:-1], []).append(wish)
        else:
            found.append(_changed_value(document, statement, wish))
    for table, group in tables.items():
        found.append(_added(document, table, group, is_first=not _appends(found, text)))
    return sorted(found, key=lambda splice: splice[0])


def _appends(splices: List[Splice], text: str) -> bool:
    return any(start == len(text) and new for start, _, new in splices)


def _changed_value(document: Document, statement: Statement, wish: Wish) -> Splice:
    start, end = statement.value
    raw = document.text[start:end]
    if statement.kind != "key":
        raise TomlError(f"{dotted(wish.path)} is a table, wanted a value")
    if not wish.is_item:
        return start, end, wish.value
    if not raw.startswith("["):
        raise TomlError(f"{dotted(wish.path)} is {raw[:40]}, wanted an array")
    last = items(raw)
    if not last:
        return start + 1, start + 1, wish.value
    place = start + last[-1][1]
    return place, place, f", {wish.value}"


def _added(document: Document, table: Key, group: List[Wish], *, is_first: bool) -> Splice:
    """Return the splice that adds keys to a table, and the table where there is none."""
    newline = document.newline
    home = document.statement(table)
    if not table or (home is not None and home.kind == "table"):
        own = [one for one in document.statements if one.table == table]
        place = own[-1].end if own else _beginning(document)
        return _lines_at(document, place, _lines(group, len(table), newline))
    crossing = [
        one
        for one in document.below(table)
        if one.kind == "key"
        and len(one.table) < len(table)
        and one.table == table[: len(one.table)]
    ]
    if crossing:
        last = crossing[-1]
        return _lines_at(document, last.end, _lines(group, len(last.table), newline))
    _refuse_closed(document, table)
    end = len(document.text)
    gap = newline if document.text and is_first and not document.text.endswith("\n") else ""
    blank = newline if document.text or not is_first else ""
    block = f"{gap}{blank}[{dotted(table)}]{newline}{_lines(group, len(table), newline)}"
    return end, end, block


def _refuse_closed(document: Document, table: Key) -> None:
    """Refuse a table that TOML does not let one add: below a value, or an array of tables."""
    for length in range(1, len(table) + 1):
        above = table[:length]
        statement = document.statement(above)
        if statement is not None and statement.kind == "key":
            raise TomlError(
                f"{dotted(above)} is a value or an inline table, wanted [{dotted(above)}]"
            )
        if any(one.kind == "array" and one.path[:-1] == above for one in document.statements):
            raise TomlError(f"{dotted(above)} is an array of tables, wanted [{dotted(above)}]")


def _lines(group: List[Wish], depth: int, newline: str) -> str:
    values = [f"[{wish.value}]" if wish.is_item else wish.value for wish in group]
    return "".join(
        f"{dotted(wish.path[depth:])} = {value}{newline}" for wish, value in zip(group, values)
    )


def _lines_at(document: Document, place: int, lines: str) -> Splice:
    before = document.text[:place]
    gap = document.newline if before and not before.endswith(("\n", "\ufeff")) else ""
    return place, place, gap + lines


def _beginning(document: Document) -> int:
    return 1 if document.text.startswith("\ufeff") else 0


def _without(text: str, before: str, wish: Wish) -> str:
    """Return the text without the statement of a wish, and without its table if that was ours."""
    document = Document(text)
    statement = document.statement(wish.path)
    if statement is None:
        return text
    old = Document(before).statement(wish.path)
    if wish.is_item:
        return _without_item(text, statement, wish, keep=old is not None)
    if old is not None:
        return _spliced(text, (*statement.value, before[slice(*old.value)]))
    text = _spliced(text, (_line_start(text, statement.start), statement.end, ""))
    document, table = Document(text), wish.path[:-1]
    header = document.statement(table)
    emptied = header is not None and header.kind == "table" and not _own_keys(document, table)
    if header is not None and emptied and Document(before).statement(table) is None:
        text = _spliced(text, (_line_start(text, header.start), header.end, ""))
    return text


def _own_keys(document: Document, table: Key) -> List[Statement]:
    return [one for one in document.statements if one.table == table and one.kind == "key"]


def _without_item(text: str, statement: Statement, wish: Wish, *, keep: bool) -> str:
    start, end = statement.value
    raw = text[start:end]
    places = items(raw)
    index = [raw[slice(*place)] for place in places].index(wish.value)
    if len(places) == 1:
        if not keep:
            return _spliced(text, (_line_start(text, statement.start), statement.end, ""))
        return _spliced(text, (start, end, "[]"))
    if index:
        return _spliced(text, (start + places[index - 1][1], start + places[index][1], ""))
    return _spliced(text, (start + places[0][0], start + places[1][0], ""))


def _line_start(text: str, place: int) -> int:
    return text.rfind("\n", 0, place) + 1
