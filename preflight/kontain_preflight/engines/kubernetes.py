# SPDX-License-Identifier: Apache-2.0
"""The distributions of Kubernetes that bring a containerd of their own, as a check sees them.

Each writes the configuration of that containerd again at each start.

k3s, RKE2 from a template where there is one: `{{ template "base" . }}` in it stands for their own,
and the rest is added (k3s' documents, "Advanced Options"; RKE2's likewise). Since 2026 their
configuration imports the files of a folder, which get the better part: nothing of theirs is named.
k0s with the files of /etc/k0s/containerd.d merged in (k0s' documents, "Runtime"). MicroK8s from a
template that is TOML but for variables in strings.
"""

from __future__ import annotations

import re
from typing import List, NamedTuple

from ..host import Host
from .containerd import CONTAINERD, last_strings
from .engine import RUNTIME

TEMPLATES = {2: "config.toml.tmpl", 3: "config-v3.toml.tmpl"}
"""The templates of k3s and RKE2 by the schema of their configuration, with containerd 1.x and 2.x."""

_RANCHER = "/var/lib/rancher/{}/agent/etc/containerd/config.toml"
_SCHEMA = re.compile(r"^[ \t]*version[ \t]*=[ \t]*(\d+)", re.MULTILINE)
_IMPORTED = "config-v3.toml.d"
_IN_TEMPLATE = re.compile(
    rf"""^[ \t]*\[[^\]\n]*\bruntimes\.["']?{RUNTIME}["']?\.options[ \t]*\]"""
    r"""(?:[^\[]*?\n)?[ \t]*BinaryName[ \t]*=[ \t]*["']([^"'\n]*)["']""",
    re.MULTILINE,
)
_PROGRAM = ("containerd", "runtimes", RUNTIME, "options", "BinaryName")


class Distribution(NamedTuple):
    """A distribution: its name, the configuration of its containerd, and how that restarts.

    `drop_in` is a file of ours that it merges in, `made` what it makes of both at each start, where
    that is not `config` itself.
    """

    name: str
    config: str
    restart: str
    drop_in: str = ""
    made: str = ""

    def is_present(self, host: Host) -> bool:
        """Return whether it has started once on this host."""
        return host.exists(self.config)


K3S = Distribution("k3s", _RANCHER.format("k3s"), "systemctl restart k3s or k3s-agent")
RKE2 = Distribution("rke2", _RANCHER.format("rke2"), "systemctl restart rke2-server or rke2-agent")
K0S = Distribution(
    "k0s",
    "/etc/k0s/containerd.toml",
    "systemctl restart k0scontroller or k0sworker",
    "/etc/k0s/containerd.d/kontain.toml",
    "/run/k0s/containerd-cri.toml",
)
MICROK8S = Distribution(
    "microk8s",
    "/var/snap/microk8s/current/args/containerd-template.toml",
    "snap restart microk8s.daemon-containerd",
    made="/var/snap/microk8s/current/args/containerd.toml",
)
DISTRIBUTIONS = (K3S, RKE2, K0S, MICROK8S)
MANAGED = "k0s_managed=true"
"""A comment in the configuration that k0s writes; an operator who takes it over removes that."""
TEMPLATED = (K3S, RKE2)
"""Those with templates of Go."""
ENGINE = CONTAINERD


def programs(host: Host, one: Distribution, *, loaded: bool = False) -> List[str]:
    """Return the program of our runtime in what a distribution makes its configuration of, or none.

    With `loaded`, in the configuration that was made of it at the last start. A template of Go is no
    TOML yet, so its text is searched.
    """
    if one.made:
        return _merged(host, one, loaded=loaded)
    text = host.read_or(one.config)
    if loaded:
        return last_strings([text], _PROGRAM) or _drop_in(host, one, loaded=True)
    schema = _SCHEMA.search(text)
    is_new = bool(schema and int(schema[1]) > min(TEMPLATES))
    template = one.config.replace("config.toml", TEMPLATES[3 if is_new else 2])
    found = _IN_TEMPLATE.findall(host.read_or(template))
    return found[-1:] or _drop_in(host, one, loaded=False)


def _drop_in(host: Host, one: Distribution, *, loaded: bool) -> List[str]:
    """Return the program in a file of the folder that the configuration imports, none where none is.

    It is loaded when the configuration, which is made at each start, is newer.
    """
    file = one.config.replace("config.toml", f"{_IMPORTED}/kontain.toml")
    if not host.exists(file) or f"/{_IMPORTED}/" not in host.read_or(one.config):
        return []
    if loaded and host.stat(file).st_mtime > host.stat(one.config).st_mtime:
        return []
    return last_strings([host.read_or(file)], _PROGRAM)


def _merged(host: Host, one: Distribution, *, loaded: bool) -> List[str]:
    """Return the program in files that are TOML; they are loaded when what is made of them is newer.

    Of a configuration of k0s' that an operator has taken over, nothing is made.
    """
    sources = [path for path in (one.config, one.drop_in) if path and host.exists(path)]
    ours = [path for path in sources if last_strings([host.read_or(path)], _PROGRAM)]
    if loaded and (one != K0S or MANAGED in host.read_or(one.config)):
        made = host.stat(one.made).st_mtime if host.exists(one.made) else 0.0
        if any(host.stat(path).st_mtime > made for path in ours):
            return []
    return last_strings([host.read_or(path) for path in ours], _PROGRAM)
