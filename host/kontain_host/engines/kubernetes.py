# SPDX-License-Identifier: Apache-2.0
"""Register runtimes with the containerd inside a distribution of Kubernetes."""

from __future__ import annotations

from typing import List, Optional, Sequence

from .. import looks
from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..looks import Document, TomlError
from ..report import Report
from .containerd_runtimes import CRI, schema_of, shared_options, wishes
from .toml_edit import merge
from .toml_file import TomlMerge, document, read_text

OWNER = looks.containerd.CONTAINERD.name
BASE = '{{ template "base" . }}'

_COMMENT = "{{/* Made by Kontain; `kontain why` says more about this file. */}}\n"
_DROP_IN_COMMENT = "# Made by Kontain; `kontain why` says more about this file.\n"
_TABLE = """
[plugins."{plugin}".containerd.runtimes.{name}]
  runtime_type = "io.containerd.runc.v2"
[plugins."{plugin}".containerd.runtimes.{name}.options]
  BinaryName = "{program}"
  SystemdCgroup = {{{{ .SystemdCgroup }}}}
"""


def present(host: Host) -> List[looks.kubernetes.Distribution]:
    """Return the distributions on this host that have started once."""
    return [one for one in looks.kubernetes.DISTRIBUTIONS if one.is_present(host)]


def plan(host: Host, names: Sequence[str], program: str, report: Report) -> List[Change]:
    """Return the changes that register the program under these names; `report` says what loads them."""
    changes: List[Change] = []
    for one in present(host):
        change = _change(host, one, names, program)
        if change.is_pending(host):
            report.warnings.append(
                f"{one.name} finds the runtime after its next start: `{one.restart}`, "
                "during which containers keep running"
            )
        changes.append(change)
    return changes


def _change(
    host: Host, one: looks.kubernetes.Distribution, names: Sequence[str], program: str
) -> Change:
    schema = _schema(host, one)
    reason = f"{one.name}'s containerd finds the runtimes {', '.join(names)}"
    folder = _imported_folder(host, one, schema)
    if folder:
        file = f"{folder}/kontain.toml"
        options = shared_options(_rendered(host, one), schema)
        there = document(host, file)
        lines = wishes(schema, names, program, options, there)
        content = merge(f"{_DROP_IN_COMMENT}version = {schema}\n", lines).encode()
        return File(file, OWNER, reason, content)
    if one in looks.kubernetes.TEMPLATED:
        tables = "".join(
            _TABLE.format(plugin=CRI[schema], name=name, program=program) for name in names
        )
        return _template(host, one, schema, tables, reason)
    own = document(host, one.config)
    options = shared_options(own, schema)
    path = host.resolve(one.config)
    return TomlMerge(path, OWNER, reason, tuple(wishes(schema, names, program, options, own)))


def _schema(host: Host, one: looks.kubernetes.Distribution) -> int:
    schema: object
    try:
        schema = schema_of(Document(host.path(one.config).read_text(encoding="utf-8")))
    except (TomlError, UnicodeDecodeError) as error:
        schema = error
    if isinstance(schema, int) and schema in looks.kubernetes.TEMPLATES:
        return schema
    raise HostError(
        f"cannot register a runtime in {one.name}",
        f"{one.config} has the schema version {schema}, wanted one of {list(looks.kubernetes.TEMPLATES)}",
        f"report this {one.name}; see `{one.name} --version`",
        HOST_REFUSED,
    )


def _imported_folder(host: Host, one: looks.kubernetes.Distribution, schema: int) -> Optional[str]:
    """Return the folder whose files a distribution adds to what it writes, None where it does not.

    An import of containerd 1.x would take the place of all that k3s writes for the plugin.
    """
    if one == looks.kubernetes.K0S:
        managed = looks.kubernetes.MANAGED in read_text(host, one.config)
        return "/etc/k0s/containerd.d" if managed else None
    if one == looks.kubernetes.MICROK8S or schema < 3:  # noqa: PLR2004  containerd 2.x
        return None
    for pattern in document(host, one.config).value(("imports",)) or []:
        folder, _, name = str(pattern).rpartition("/")
        if name == "*.toml" and folder.startswith(one.config.rpartition("/")[0]):
            return folder
    return None


def _rendered(host: Host, one: looks.kubernetes.Distribution) -> Document:
    """Return what a distribution has made for its containerd: k0s in a file that it imports."""
    if one == looks.kubernetes.K0S:
        for path in document(host, one.config).value(("imports",)) or []:
            if host.path(str(path)).is_file():
                return document(host, str(path))
    return document(host, one.config)


def _template(
    host: Host, one: looks.kubernetes.Distribution, schema: int, tables: str, reason: str
) -> File:
    path = one.config.replace("config.toml", looks.kubernetes.TEMPLATES[schema])
    place = host.path(path)
    if place.exists() and not place.read_bytes().startswith(_COMMENT.encode()):
        raise HostError(
            f"cannot register a runtime in {one.name}",
            f"{path} is not Kontain's, and not TOML that could be merged",
            f"add these lines to it by hand:{tables}",
            HOST_REFUSED,
        )
    return File(path, OWNER, reason, f"{_COMMENT}{BASE}\n{tables}".encode())
