# SPDX-License-Identifier: Apache-2.0
"""The MANIFEST of a release: the SHA-256 of every other file, as `sha256sum -c` reads it."""

from __future__ import annotations

import hashlib
import os
import re
from pathlib import Path, PurePosixPath
from typing import Dict, Iterator, List, Tuple

NAME = "MANIFEST"

_LINE = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")
_CACHE = "__pycache__"
_CHUNK = 1 << 20


def parse(content: bytes) -> Dict[str, str]:
    """Return path → SHA-256; raise ValueError that says which line is wrong, and how."""
    listed: Dict[str, str] = {}
    for number, line in enumerate(content.decode().splitlines(), start=1):
        match = _LINE.fullmatch(line)
        if not match:
            message = f"line {number} of {NAME} is {line[:80]!r}, wanted a SHA-256 and a path"
            raise ValueError(message)
        digest, path = match.groups()
        if not is_safe(path) or path == NAME or path in listed:
            message = f"line {number} of {NAME} has a path that may not be there: {path[:80]!r}"
            raise ValueError(message)
        listed[path] = digest
    return listed


def is_safe(path: str) -> bool:
    """Return whether a path stays below the folder that it is relative to, and can be printed."""
    parts = path.split("/")
    return path.isprintable() and "\\" not in path and not {"", ".", ".."} & set(parts)


def file_digest(path: Path) -> str:
    """Return the SHA-256 of a file's content, in hexadecimal."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        for chunk in iter(lambda: file.read(_CHUNK), b""):
            digest.update(chunk)
    return digest.hexdigest()


def digest(content: bytes) -> str:
    """Return what identifies a release: the SHA-256 of its MANIFEST."""
    return hashlib.sha256(content).hexdigest()


def differences(tree: Path, listed: Dict[str, str]) -> Tuple[List[str], List[str]]:
    """Return the listed files that are missing or changed, and the files that nobody listed.

    Bytecode is no difference: the Python of the host writes it.
    """
    present = set(_files(tree))
    wrong = [
        path
        for path, wanted in sorted(listed.items())
        if path not in present or not _matches(tree / path, wanted)
    ]
    return wrong, sorted(present - set(listed) - {NAME})


def _matches(path: Path, wanted: str) -> bool:
    return path.is_file() and file_digest(path) == wanted


def _files(tree: Path) -> Iterator[str]:
    """Yield the paths of all that is no directory, and no bytecode."""
    for folder, subfolders, names in os.walk(tree):
        if _CACHE in subfolders:
            subfolders.remove(_CACHE)
        links = [name for name in subfolders if Path(folder, name).is_symlink()]
        for name in names + links:
            yield str(PurePosixPath(Path(folder, name).relative_to(tree)))
