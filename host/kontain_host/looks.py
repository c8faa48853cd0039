# SPDX-License-Identifier: Apache-2.0
"""Imports of kontain_preflight, the part that looks and that this package stands on.

Ansible sends both packages to a host below another name, where only a relative import finds the other;
so this is the one file that knows how.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING or __package__ == "kontain_host":
    from kontain_preflight import engines, errors, host, manifest, unix_http
    from kontain_preflight.engines import cgroups, containerd, crio, docker, kubernetes, podman
    from kontain_preflight.programs import Output
    from kontain_preflight.toml_text import (
        Document,
        Key,
        Statement,
        TomlError,
        dotted,
        items,
        quoted,
    )
else:
    from ..kontain_preflight import engines, errors, host, manifest, unix_http
    from ..kontain_preflight.engines import cgroups, containerd, crio, docker, kubernetes, podman
    from ..kontain_preflight.programs import Output
    from ..kontain_preflight.toml_text import (
        Document,
        Key,
        Statement,
        TomlError,
        dotted,
        items,
        quoted,
    )

__all__ = [
    "Document",
    "Key",
    "Output",
    "Statement",
    "TomlError",
    "cgroups",
    "containerd",
    "crio",
    "docker",
    "dotted",
    "engines",
    "errors",
    "host",
    "items",
    "kubernetes",
    "manifest",
    "podman",
    "quoted",
    "unix_http",
]
