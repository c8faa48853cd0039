# SPDX-License-Identifier: Apache-2.0
"""The tables of a runtime in containerd's configuration, whoever writes that."""

from __future__ import annotations

from typing import Dict, List, Mapping, Optional, Sequence

from ..looks import Document, Key, quoted
from .toml_edit import Wish

CRI: Dict[int, str] = {  # the plugin that has the runtimes, by the schema of the file
    1: "cri",
    2: "io.containerd.grpc.v1.cri",
    3: "io.containerd.cri.v1.runtime",
    4: "io.containerd.cri.v1.runtime",
}
SHIM = "io.containerd.runc.v2"
STOCK_RUNTIME = "runc"

# Options of the runc shim (containerd, runtime/v2/runc/options) that a container of another runtime
# needs as well: where the kubelet's driver of control groups is systemd, so must this runtime's be.
_SHARED = (
    "SystemdCgroup",
    "NoPivotRoot",
    "NoNewKeyring",
    "ShimCgroup",
    "IoUid",
    "IoGid",
)
_UNSET = (None, False, 0, "")


def schema_of(document: Document) -> int:
    """Return the schema of a file; 1 where it names none."""
    found = document.value(("version",))
    return found if isinstance(found, int) and found > 0 else 1


def runtimes_table(schema: int) -> Key:
    """Return the path of the table that has the runtimes."""
    return ("plugins", CRI[schema], "containerd", "runtimes")


def programs(document: Document, schema: int) -> Dict[str, Optional[str]]:
    """Return name → BinaryName of the runtimes of a document."""
    table = runtimes_table(schema)
    names = {one.path[len(table)] for one in document.below(table)}
    return {name: document.value((*table, name, "options", "BinaryName")) for name in names}


def shared_options(document: Document, schema: int) -> Dict[str, str]:
    """Return name → TOML of the options of the default runtime that ours needs as well.

    A default that is run by another shim, such as Kata's, has other options; then runc's. The shim
    may be a variable of a template.
    """
    table = runtimes_table(schema)
    default = document.value((*table[:-1], "default_runtime_name"))
    for name in (default, STOCK_RUNTIME):
        place = (*table, str(name), "options")
        kind = document.value((*place[:-1], "runtime_type"))
        if document.below(place[:-1]) and (kind in (None, SHIM) or str(kind).startswith("$")):
            found = {option: document.value((*place, option)) for option in _SHARED}
            return {option: _written(one) for option, one in found.items() if one not in _UNSET}
    return {}


def _written(value: object) -> str:
    return (
        "true" if value is True else str(value) if isinstance(value, int) else quoted(str(value))
    )


def wishes(
    schema: int, names: Sequence[str], program: str, options: Mapping[str, str], own: Document
) -> List[Wish]:
    """Return what a file shall have for these runtimes; an option that it has already stays."""
    found = []
    for name in names:
        table = (*runtimes_table(schema), name)
        found += [
            Wish((*table, "runtime_type"), quoted(SHIM)),
            Wish((*table, "options", "BinaryName"), quoted(program)),
        ]
        for option, value in options.items():
            path = (*table, "options", option)
            written = own.statement(path)
            kept = value if written is None else own.text[slice(*written.value)]
            found.append(Wish(path, kept))
    return found
