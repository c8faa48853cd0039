# SPDX-License-Identifier: Apache-2.0
"""JSON documents: read, written, and their members taken with the type that they must have.

The C scanner and encoder of the standard library are used without the package `json`, whose import
costs more than all the rest of a `create`.
Text that has a name twice in one object is refused: which of the two counts, each reader decides
for itself.
"""

from __future__ import annotations

import fcntl
import posix
from _stat import S_ISREG, filemode

from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeVar

    Kind = TypeVar("Kind")

LARGEST_DOCUMENT = 16 << 20  # bytes; docker's config.json has some 10 KiB
_NAMES = {dict: "an object", list: "a list", str: "a string", bool: "true or false"}


class _Scanning:
    """The decoder's interface for the C scanner."""

    strict = True
    object_hook = None
    parse_float = float
    parse_int = int

    @staticmethod
    def object_pairs_hook(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            names = [name for name, _ in pairs]
            twice = next(name for name in found if names.count(name) > 1)
            raise ValueError(f"one object has {twice!a} twice")
        return found

    @staticmethod
    def parse_constant(name: str) -> None:
        raise ValueError(f"{name} is not JSON")


def loads(text: str) -> Any:
    """Return the value of the JSON document TEXT; a ValueError says why there is none."""
    import _json  # noqa: PLC0415 - an extension module: only where a document is read

    text = text.strip(" \t\r\n")
    scan = _json.make_scanner(_Scanning)  # type: ignore[arg-type] # any such object serves
    try:
        value, end = scan(text, 0)
    except (
        StopIteration,
        SystemError,
    ):  # the scanner leaves it to the package to say what is wrong
        end = -1
    except RecursionError:
        raise ValueError("it is nested too deeply") from None
    if end != len(text):
        import json  # noqa: PLC0415 - slow, but now there is time

        return json.loads(
            text,
            object_pairs_hook=_Scanning.object_pairs_hook,
            parse_constant=_Scanning.parse_constant,
        )
    return value


def dumps(value: Any) -> str:
    """Return VALUE as JSON in ASCII, on one line."""
    import _json  # noqa: PLC0415 - see loads

    encode = _json.make_encoder(
        None, _refuse, _json.encode_basestring_ascii, None, ":", ",", False, False, False
    )
    return "".join(encode(value, 0))


def _refuse(value: object) -> None:
    raise TypeError(f"{type(value)} is not JSON")


def load(path: str, *, dir_fd: int | None = None, pipe: bool = False) -> dict[str, Any]:
    """Return the JSON object in the file PATH, as `read` does.

    An OSError says that the file cannot be read, a KrunError that it is no such document.
    """
    return parse(read(path, dir_fd=dir_fd, pipe=pipe), path)


def parse(text: bytes, path: str) -> dict[str, Any]:
    """Return the JSON object that is TEXT, which was read from PATH."""
    try:
        value = loads(text.decode())
    except ValueError as reason:
        raise KrunError(f"cannot read {path}: it is not JSON: {reason}", _MEND) from None
    if not isinstance(value, dict):
        raise KrunError(f"cannot read {path}: it holds no JSON object", _MEND)
    return value


_MEND = "correct the file, or have the program that wrote it write it again"


def open_file(path: str, *, dir_fd: int | None = None, pipe: bool = False) -> int:
    """Return a descriptor to read the regular file PATH, which is relative to DIR_FD.

    With PIPE it may be a pipe that has no name: the caller holds its ends, as those of /dev/stdin.
    One with a name is refused, for its reader waits until somebody writes; fifo(7).
    """
    flags = posix.O_RDONLY | posix.O_CLOEXEC | posix.O_NOCTTY | posix.O_NONBLOCK
    fd = posix.open(path, flags, dir_fd=dir_fd)
    mode = posix.fstat(fd).st_mode
    if S_ISREG(mode):
        return fd
    if pipe and posix.readlink(f"/proc/self/fd/{fd}").startswith("pipe:["):
        posix.set_blocking(fd, True)
        return fd
    posix.close(fd)
    raise KrunError(f"cannot read {path}: found {filemode(mode)}, wanted a regular file", _MEND)


def read(path: str, *, dir_fd: int | None = None, pipe: bool = False) -> bytes:
    """Return the bytes of the file that `open_file` opens, which is not larger than a document is."""
    fd = open_file(path, dir_fd=dir_fd, pipe=pipe)
    try:
        return read_open(fd, path)
    finally:
        posix.close(fd)


def read_open(fd: int, path: str) -> bytes:
    """Return the bytes that FD, a descriptor of PATH, gives until its end."""
    parts, size = [], 0
    while part := posix.read(fd, 1 << 18):
        parts.append(part)
        size += len(part)
        if size > LARGEST_DOCUMENT:
            raise KrunError(
                f"cannot read {path}: it is larger than {LARGEST_DOCUMENT >> 20} MiB", _MEND
            )
    return b"".join(parts)


def in_memory(doc: dict[str, Any], *, above: int) -> int:
    """Return a descriptor, ABOVE those of the container, of a file in memory that holds DOC."""
    fd = posix.memfd_create("krun", 0)
    content = dumps(doc).encode()
    while content:
        content = content[posix.write(fd, content) :]
    return fcntl.fcntl(fd, fcntl.F_DUPFD, above + 1)


def member(doc: dict[str, Any], name: str, kind: type[Kind], where: str = "") -> Kind | None:
    """Return member NAME of DOC, None where it is missing or null.

    WHERE is the path of DOC itself in the whole document, for the error of a wrong type.
    """
    value = doc.get(name)
    if value is None or isinstance(value, kind):
        return value
    raise wrong(f"{where}{name}", _NAMES[kind], value)


def strings(doc: dict[str, Any], name: str, where: str = "") -> list[str]:
    """Return the list of strings that is member NAME of DOC, empty where it is missing."""
    values: list[Any] = member(doc, name, list, where) or []
    for value in values:
        if not isinstance(value, str) or "\0" in value:
            raise wrong(f"{where}{name}", "a list of strings without NUL", value)
    return values


def objects(doc: dict[str, Any], name: str, where: str = "") -> list[dict[str, Any]]:
    """Return the list of objects that is member NAME of DOC, empty where it is missing."""
    values: list[Any] = member(doc, name, list, where) or []
    for value in values:
        if not isinstance(value, dict):
            raise wrong(f"{where}{name}", "a list of objects", value)
    return values


def wrong(path: str, wanted: str, found: object) -> KrunError:
    """Return the error for the member PATH of a configuration, WANTED something else than FOUND."""
    shown = repr(found)
    if len(shown) > 60:  # noqa: PLR2004 - enough to find it again
        shown = shown[:57] + "..."
    return KrunError(
        f"the container's configuration is wrong: {path} must be {wanted}, found {shown}",
        f"correct {path} as the OCI runtime specification says",
    )
