# SPDX-License-Identifier: Apache-2.0
"""How each container engine learns of the runtime, and forgets it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional

from ..changes import Change
from ..errors import WRONG_USAGE, HostError
from ..host import Host
from ..report import Report
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


@dataclass(frozen=True)
class Registration:
    """How the runtime shall be registered.

    `path` is its program (default: krun below the prefix); `config` docker's configuration file
    (default: that of the dockerd at the usual socket, or the usual one); `replace` allows to take the name
    from another runtime.
    """

    path: Optional[str] = None
    config: Optional[str] = None
    replace: bool = False


def plan(
    host: Host, engine: str, report: Report, registration: Registration = Registration()
) -> List[Change]:
    """Return the changes that make the runtime known to an engine.

    An engine that is not there will find the runtime once it is installed; `report` then has a
    warning.
    """
    if engine not in ENGINES:
        raise HostError(
            f"cannot register a runtime in the engine {engine!r}",
            f"the engines that Kontain knows are {', '.join(ENGINES)}",
            "give one of them",
            WRONG_USAGE,
        )
    if not _PRESENT[engine](host):
        report.warnings.append(f"{engine} is not on this host yet")
    path = registration.path or f"{host.prefix}/bin/krun"
    names, replace = _names(host), registration.replace
    if engine == docker.OWNER:
        return docker.plan(host, names, path, config=registration.config, replace=replace)
    return podman.plan(host, names, path, replace=replace)


def _names(host: Host) -> List[str]:
    """Return the names of the runtime: krun too, unless libkrun's program has that name."""
    other = host.which(_SECOND_NAME)
    return [NAME] if other else [NAME, _SECOND_NAME]
