# SPDX-License-Identifier: Apache-2.0
"""containerd's own view of its files: `containerd config dump`, and which file counts."""

from __future__ import annotations

import os
from typing import List, Tuple

from .. import looks
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..looks import Document, TomlError
from .containerd_runtimes import CRI, schema_of
from .toml_file import document

_MOST_FILES = 1000


def dump(host: Host, config: str) -> Document:
    """Return the configuration that containerd loads, imports included, as it writes it down.

    Raises HostError with containerd's own words where it would not start with it.
    """
    verb = "dump" if host.path(config).exists() else "default"
    program = looks.containerd.CONTAINERD.program
    answer = host.run(program, "--config", str(host.path(config)), "config", verb)
    try:
        if answer.status == 0:
            return Document(answer.stdout)
        why = answer.last_words
    except TomlError as error:
        why = f"it is not TOML: {error}"
    raise HostError(
        "cannot register a runtime in containerd",
        f"`containerd --config {config} config {verb}` fails: {why}",
        f"repair {config}, or the file that it imports, then run this again",
        HOST_REFUSED,
    )


def table_file(host: Host, config: str) -> str:
    """Return the file whose table of the CRI plugin counts in containerd 1.x: the last that has one.

    That version merges tables of different plugins, and replaces that of a plugin whole.
    """
    for path in reversed(_load_order(host, config)):
        found = document(host, path)
        schema = schema_of(found)
        if any(found.below(("plugins", name)) for name in (CRI.get(schema, ""), CRI[2])):
            return path
    return config


def _load_order(host: Host, config: str) -> List[str]:
    """Return the files in the order in which containerd loads them: breadth first, each once."""
    order: List[str] = []
    pending = [config]
    while pending and len(order) < _MOST_FILES:
        path = pending.pop(0)
        if path in order or not host.path(path).is_file():
            continue
        order.append(path)
        for pattern in document(host, path).value(("imports",)) or []:
            pending += _matches(host, path, str(pattern))
    return order


def _matches(host: Host, parent: str, pattern: str) -> List[str]:
    """Return the files of one import; only a pattern with * is one, and is not relative."""
    if "*" not in pattern:
        return [os.path.normpath(os.path.join(os.path.dirname(parent), pattern))]  # noqa: PTH118, PTH120
    folder, _, name = pattern.rpartition("/")
    place = host.path(folder)
    found: Tuple[str, ...] = tuple(sorted(one.name for one in place.glob(name))) if name else ()
    return [f"{folder}/{one}" for one in found]
