# SPDX-License-Identifier: Apache-2.0
"""Register runtimes with the containerd inside k3s and RKE2, by the template of its configuration.

Both write the configuration of their own containerd anew at each start, from a template where there
is one. `{{ template "base" . }}` in it stands for their own, and what follows is added: k3s'
documents, "Advanced Options", "Configuring containerd"; RKE2's likewise.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Sequence

from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..report import Report
from .toml_text import Document as Toml
from .toml_text import TomlError

OWNER = "containerd"
BASE = '{{ template "base" . }}'

_COMMENT = "{{/* Made by Kontain; `kontain why` says more about this file. */}}\n"
_TABLE = """
[plugins."{plugin}".containerd.runtimes.{name}]
  runtime_type = "io.containerd.runc.v2"
[plugins."{plugin}".containerd.runtimes.{name}.options]
  BinaryName = "{program}"
  SystemdCgroup = {{{{ .SystemdCgroup }}}}
"""


@dataclass(frozen=True)
class Distribution:
    """A distribution of Kubernetes, its folder and its services."""

    name: str
    units: Sequence[str]

    @property
    def folder(self) -> str:
        """Return where its containerd's configuration is."""
        return f"/var/lib/rancher/{self.name}/agent/etc/containerd"


@dataclass(frozen=True)
class Template:
    """What a schema of containerd's configuration has its template in, and its runtimes."""

    file: str
    plugin: str


DISTRIBUTIONS = (
    Distribution("k3s", ("k3s", "k3s-agent")),
    Distribution("rke2", ("rke2-server", "rke2-agent")),
)
TEMPLATES = {
    2: Template("config.toml.tmpl", "io.containerd.grpc.v1.cri"),  # with containerd 1.x
    3: Template("config-v3.toml.tmpl", "io.containerd.cri.v1.runtime"),  # with containerd 2.x
}


def present(host: Host) -> List[Distribution]:
    """Return the distributions on this host that have started once."""
    return [one for one in DISTRIBUTIONS if host.path(f"{one.folder}/config.toml").is_file()]


def plan(host: Host, names: Sequence[str], program: str, report: Report) -> List[Change]:
    """Return the changes that register the program under these names; `report` says what loads them."""
    changes: List[Change] = []
    for distribution in present(host):
        template = _template(host, distribution)
        change = _change(host, distribution, template, names, program)
        if change.is_pending(host):
            report.warnings.append(
                f"{distribution.name} finds the runtime after its next start: `systemctl restart` "
                f"{' or '.join(distribution.units)}, during which containers go on"
            )
        changes.append(change)
    return changes


def _template(host: Host, distribution: Distribution) -> Template:
    config = f"{distribution.folder}/config.toml"
    try:
        schema = Toml(host.path(config).read_text(encoding="utf-8")).value(("version",))
    except (TomlError, UnicodeDecodeError) as error:
        schema = error
    if isinstance(schema, int) and schema in TEMPLATES:
        return TEMPLATES[schema]
    raise HostError(
        f"cannot register a runtime in {distribution.name}",
        f"{config} has the schema version {schema}, wanted one of {list(TEMPLATES)}",
        f"report this {distribution.name}; see `{distribution.name} --version`",
        HOST_REFUSED,
    )


def _change(
    host: Host,
    distribution: Distribution,
    template: Template,
    names: Sequence[str],
    program: str,
) -> File:
    path = f"{distribution.folder}/{template.file}"
    tables = "".join(
        _TABLE.format(plugin=template.plugin, name=name, program=program) for name in names
    )
    place = host.path(path)
    if place.exists() and not place.read_bytes().startswith(_COMMENT.encode()):
        raise HostError(
            f"cannot register a runtime in {distribution.name}",
            f"{path} is somebody's own, and not TOML that could be merged",
            f"add these lines to it by hand:{tables}",
            HOST_REFUSED,
        )
    reason = f"{distribution.name}'s containerd finds the runtimes {', '.join(names)}"
    return File(path, OWNER, reason, f"{_COMMENT}{BASE}\n{tables}".encode())
