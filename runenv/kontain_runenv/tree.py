# SPDX-License-Identifier: Apache-2.0
"""The files of an image as values: where each stands, what it holds, and which package gave it."""

from __future__ import annotations

import fnmatch
import os
import posixpath
import stat
from dataclasses import dataclass, replace
from pathlib import Path

_MERGED = ("bin", "sbin", "lib", "lib32", "lib64", "libx32")  # folders that moved into /usr


@dataclass(frozen=True)
class Node:
    """The file at a path. A node without a package was made here."""

    mode: int = 0o644  # permissions
    owner: int = 0  # user and group ID
    data: bytes = b""
    target: str = ""  # of a symbolic link
    folder: bool = False
    package: str = ""


Tree = dict[str, Node]
"""Nodes by path; a path is relative to the image's root and has no dot in it: `etc/passwd`."""


def normalise(name: str) -> str:
    """Return an archive member's name as a path of a Tree, on a system with a merged /usr."""
    path = posixpath.normpath("/" + name).lstrip("/")
    return f"usr/{path}" if path.split("/")[0] in _MERGED else path


def matches(path: str, patterns: tuple[str, ...]) -> bool:
    """Tell whether PATH matches one of the shell patterns, whose `*` crosses slashes."""
    return any(fnmatch.fnmatchcase(path, pattern) for pattern in patterns)


def resolve(tree: Tree, path: str) -> list[str]:
    """Return PATH and what its chain of symbolic links leads through, as far as TREE has it."""
    chain: list[str] = []
    while path in tree and path not in chain:
        chain.append(path)
        if not tree[path].target:
            break
        path = normalise(posixpath.join("/", posixpath.dirname(path), tree[path].target))
    return chain


def read_folder(folder: Path, prefix: str, package: str) -> Tree:
    """Return the files below FOLDER as nodes of PACKAGE below PREFIX."""
    tree: Tree = {}
    for path in sorted(folder.rglob("*")):
        name = f"{prefix}/{path.relative_to(folder)}"
        if path.is_symlink():
            tree[name] = Node(target=str(path.readlink()), package=package)
        elif path.is_file():
            mode = 0o755 if path.stat().st_mode & stat.S_IXUSR else 0o644
            tree[name] = Node(mode=mode, data=path.read_bytes(), package=package)
    return tree


def write_folder(tree: Tree, folder: Path) -> None:
    """Write the files of TREE below FOLDER; absolute links become relative ones, inside it."""
    for path, node in tree.items():
        place = folder / path
        (place if node.folder else place.parent).mkdir(parents=True, exist_ok=True)
        if node.target.startswith("/"):
            place.symlink_to(os.path.relpath(normalise(node.target), Path(path).parent))
        elif node.target:
            place.symlink_to(node.target)
        elif not node.folder:
            place.write_bytes(node.data)
            place.chmod(node.mode)


def with_package(tree: Tree, package: str) -> Tree:
    """Return TREE as files that stem from PACKAGE."""
    return {path: replace(node, package=package) for path, node in tree.items()}


def size(tree: Tree) -> int:
    """Return the bytes that the files of TREE hold."""
    return sum(len(node.data) for node in tree.values())
