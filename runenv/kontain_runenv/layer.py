# SPDX-License-Identifier: Apache-2.0
"""A layer of an OCI image: the same files give the same bytes, on any host and at any time."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

from .tree import Node, Tree

MTIME = 315532800  # 1980-01-01, the oldest time that every archive format can hold
_LEVEL = 6  # of gzip: 9 takes twice as long for one hundredth


@dataclass(frozen=True)
class Blob:
    """Bytes that an image refers to by their sum."""

    data: bytes

    @property
    def digest(self) -> str:
        """Return the SHA-256 as OCI writes it."""
        return f"sha256:{hashlib.sha256(self.data).hexdigest()}"


@dataclass(frozen=True)
class Layer:
    """A packed layer, and the digest of what is packed in it."""

    packed: Blob
    diff_id: str


def pack_layer(tree: Tree) -> Layer:
    """Return TREE as a gzipped tarball."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, node in sorted(_with_folders(tree).items()):
            archive.addfile(_member(path, node), io.BytesIO(node.data))
    tarball = Blob(plain.getvalue())
    return Layer(Blob(gzip.compress(tarball.data, _LEVEL, mtime=0)), tarball.digest)


def _with_folders(tree: Tree) -> Tree:
    """Return TREE and the folders that its files stand in."""
    return {**{folder: Node(mode=0o755, folder=True) for folder in _folders(tree)}, **tree}


def _folders(tree: Tree) -> Iterator[str]:
    for path in tree:
        for parent in PurePosixPath(path).parents:
            if str(parent) != ".":
                yield str(parent)


def _member(path: str, node: Node) -> tarfile.TarInfo:
    info = tarfile.TarInfo(path)
    info.mtime, info.uid, info.gid = MTIME, node.owner, node.owner
    info.mode, info.size = node.mode, len(node.data)
    if node.folder:
        info.type = tarfile.DIRTYPE
    elif node.target:
        info.type, info.linkname, info.mode = tarfile.SYMTYPE, node.target, 0o777
    return info
