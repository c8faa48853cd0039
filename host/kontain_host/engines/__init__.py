# SPDX-License-Identifier: Apache-2.0
"""How each container engine learns of the runtime, and forgets it."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Optional

from ..changes import Change
from ..errors import NOT_ROOT, WRONG_USAGE, HostError
from ..host import Host
from ..report import Report
from . import containerd, crio, docker, podman
from .registration import Registration as Registration

NAME = "kontain"
"""The runtime's name in every engine."""

_SECOND_NAME = "krun"
_PRESENT: Dict[str, Callable[[Host], bool]] = {
    containerd.OWNER: containerd.is_present,
    crio.OWNER: crio.is_present,
    docker.OWNER: docker.is_present,
    podman.OWNER: podman.is_present,
}
ENGINES = sorted(_PRESENT)
RESTARTED = containerd.OWNER
"""The one that reads its configuration only when it starts."""
USUAL = (docker.OWNER, podman.OWNER)
"""Those that get the runtime when nobody chose any, as far as a host has them.

The others serve Kubernetes, whose operator decides; containerd also would need a restart.
"""


def present(host: Host) -> List[str]:
    """Return the engines that this host has, of those that Kontain knows."""
    return [engine for engine in ENGINES if _PRESENT[engine](host)]


def usual(host: Host) -> List[str]:
    """Return the usual engines of this host."""
    return [engine for engine in USUAL if _PRESENT[engine](host)]


def plan(
    host: Host, engine: str, report: Report, registration: Optional[Registration] = None
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
    if host.environment and engine != docker.OWNER:
        raise HostError(
            f"cannot register a runtime in {engine}",
            f"an ordinary user has an own configuration of {docker.OWNER} only; "
            "users' podman reads what root registers",
            "run the same with sudo",
            NOT_ROOT,
        )
    if registration and registration.builds and (engine != docker.OWNER or host.environment):
        raise HostError(
            f"cannot let {engine} build in VMs",
            "it is for root's docker alone, whose service is changed",
            "run `sudo kontain register docker --builds`",
            WRONG_USAGE,
        )
    if not _PRESENT[engine](host):
        report.warnings.append(f"{engine} is not on this host yet")
    wish = registration or Registration()
    wish = replace(wish, path=wish.path or f"{host.prefix}/bin/krun")
    return _PLANS[engine](host, _names(host), wish, report)


_PLANS: Dict[str, Callable[[Host, List[str], Registration, Report], List[Change]]] = {
    containerd.OWNER: containerd.plan,
    crio.OWNER: crio.plan,
    docker.OWNER: docker.plan,
    podman.OWNER: podman.plan,
}


def _names(host: Host) -> List[str]:
    """Return the names of the runtime: krun too, unless libkrun's program has that name."""
    other = host.which(_SECOND_NAME)
    return [NAME] if other else [NAME, _SECOND_NAME]
