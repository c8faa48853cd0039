# SPDX-License-Identifier: Apache-2.0
"""A release that installs well and whose km runs nothing: the fault that a canary finds."""

from __future__ import annotations

import tarfile
from pathlib import Path

from tools.release.bundle import Tree, pack, sums_of, tree_members

VERSION = "9.9.9"
BROKEN = (b"#!/bin/sh\necho 'km: this release is broken.' >&2\nexit 1\n", 0o755)


def make_broken(good: Path, folder: Path) -> Path:
    """Make a bundle in `folder` that is the `good` one but for its version and its km."""
    release: Tree = {}
    with tarfile.open(good) as archive:
        for member in archive:
            _, _, path = member.name.partition("/release/")
            stream = archive.extractfile(member) if path and member.isreg() else None
            if stream:
                release[path] = (stream.read(), member.mode)
    release |= {"bin/km": BROKEN, "VERSION": (f"{VERSION}\n".encode(), 0o644)}
    del release["MANIFEST"]
    release["MANIFEST"] = (sums_of(release), 0o644)
    place = folder / f"kontain-{VERSION}-x86_64.tar.gz"
    top = f"kontain-{VERSION}/release"
    place.write_bytes(
        pack(tree_members({f"{top}/{path}": file for path, file in release.items()}))
    )
    return place
