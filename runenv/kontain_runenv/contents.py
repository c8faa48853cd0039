# SPDX-License-Identifier: Apache-2.0
"""Choose from packages the files that an image needs, and no other."""

from __future__ import annotations

import posixpath
from collections.abc import Iterable
from typing import Optional

from kontain_host.errors import HostError

from .apt import Package, read_files
from .elf import read_needs
from .tree import Tree, matches, normalise, resolve

_SEARCHED = (
    "usr/lib/x86_64-linux-gnu",
    "usr/lib",
    "usr/lib64",
)  # as the loader of the distribution does
_PROGRAMS = ("usr/bin", "usr/sbin")  # a program may be a link to another


def read_candidates(packages: Iterable[Package], keep: tuple[str, ...]) -> Tree:
    """Return an image's candidates: files that match KEEP, libraries, targets of links."""
    return {
        path: node
        for package in packages
        for path, node in read_files(package)
        if matches(path, keep)
        or ".so" in posixpath.basename(path)
        or posixpath.dirname(path) in _PROGRAMS
        or _is_notice(path)
    }


def choose(candidates: Tree, parent: Tree, keep: tuple[str, ...], drop: tuple[str, ...]) -> Tree:
    """Return those of CANDIDATES that match KEEP and not DROP; a pattern without a match is an error."""
    for pattern in keep:
        if not any(matches(path, (pattern,)) for path in candidates):
            why = f"none of the image's packages has {pattern}"
            raise HostError(
                "cannot choose files",
                why,
                "name a file of theirs: `dpkg-deb --contents` lists them",
            )
    kept = [path for path in candidates if matches(path, keep) and not matches(path, drop)]
    chosen: Tree = {}
    for path in kept:
        _add(chosen, path, candidates, parent)
    return chosen


def add_libraries(tree: Tree, parent: Tree, candidates: Tree) -> Tree:
    """Return TREE with all libraries and loaders that its ELF files need and PARENT does not have."""
    chosen = dict(tree)
    own = {posixpath.basename(path): path for path in tree}
    known = {**parent, **candidates, **tree}
    queue = list(tree)
    while queue:
        path = queue.pop()
        for name in _needs(path, chosen[path].data):
            found = _find(name, path, own, known)
            if found is None:
                why = f"/{path} needs {name}, which none of its packages' dependencies has"
                raise HostError("cannot complete the image", why, "add the package to the recipe")
            queue += _add(chosen, found, candidates, parent)
    return chosen


def add_notices(tree: Tree, parent: Tree, candidates: Tree) -> Tree:
    """Return TREE with the copyright notice of each package that it has files of."""
    chosen = dict(tree)
    for package in sorted({node.package for node in tree.values()} - {""}):
        folder = f"usr/share/doc/{package}"
        _add(chosen, folder, candidates, parent)  # a link, where another package has the notice
        if folder in candidates:
            folder = normalise(posixpath.join("/usr/share/doc", candidates[folder].target))
        _add(chosen, f"{folder}/copyright", candidates, parent)
    return chosen


def _is_notice(path: str) -> bool:
    """Tell whether PATH is a package's copyright notice, or a link to the folder with it."""
    folder, name = posixpath.split(path)
    return folder == "usr/share/doc" or (
        name == "copyright" and folder.startswith("usr/share/doc/")
    )


def _needs(path: str, data: bytes) -> list[str]:
    try:
        needs = read_needs(data)
    except ValueError as error:
        fix = "remove the cache of packages, then run this again"
        raise HostError(f"cannot read /{path}", str(error), fix) from error
    if needs is None:
        return []
    return [*needs.libraries, *([needs.loader] if needs.loader else [])]


def _find(name: str, user: str, own: dict[str, str], known: Tree) -> Optional[str]:
    """Return where the library NAME that USER needs stands, a loader's whole path included.

    OWN says where the image's own files are by name: a runtime finds its libraries by itself.
    """
    if name.startswith("/"):
        places = [normalise(name)]
    else:
        places = [f"{folder}/{name}" for folder in (posixpath.dirname(user), *_SEARCHED)]
    return next((place for place in places if place in known), own.get(name))


def _add(chosen: Tree, path: str, candidates: Tree, parent: Tree) -> list[str]:
    """Put PATH, and what a link at it leads to, into CHOSEN; return what was not there before."""
    chain = resolve(candidates, path)
    added = [step for step in chain if step not in parent and step not in chosen]
    chosen.update({step: candidates[step] for step in added})
    return added
