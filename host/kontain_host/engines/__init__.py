# SPDX-License-Identifier: Apache-2.0
"""How each container engine learns of the runtime, and forgets it."""

from __future__ import annotations

from typing import Callable, Dict, List, Optional

from ..changes import Change
from ..errors import WRONG_USAGE, HostError
from ..host import Host
from . import docker, podman

NAME = "kontain"
"""The runtime's name in every engine."""

_SECOND_NAME = "krun"
_PRESENT: Dict[str, Callable[[Host], bool]] = {
    docker.OWNER: docker.is_present,
    podman.OWNER: podman.is_present,
}
ENGINES = sorted(_PRESENT)


def present(host: Host) -> List[str]:
    """Return the engines that this host has, of those that Kontain knows."""
    return [engine for engine in ENGINES if _PRESENT[engine](host)]


def plan(
    host: Host,
    engine: str,
    path: Optional[str] = None,
    *,
    config: Optional[str] = None,
    replace: bool = False,
) -> List[Change]:
    """Return the changes that make the runtime known to an engine.

    `path` is the runtime's program (default: krun below the prefix); `config` is docker's
    configuration file (default: that of the dockerd that runs, or the usual one).
    """
    path = path or f"{host.prefix}/bin/krun"
    names = _names(host)
    if engine == docker.OWNER:
        return docker.plan(host, names, path, config=config, replace=replace)
    if engine == podman.OWNER:
        return podman.plan(host, names, path, replace=replace)
    raise HostError(
        f"cannot register a runtime in the engine {engine!r}",
        f"the engines that Kontain knows are {', '.join(ENGINES)}",
        "give one of them",
        WRONG_USAGE,
    )


def _names(host: Host) -> List[str]:
    """Return the names of the runtime: krun too, unless libkrun's program has that name."""
    other = host.which(_SECOND_NAME)
    return [NAME] if other else [NAME, _SECOND_NAME]
