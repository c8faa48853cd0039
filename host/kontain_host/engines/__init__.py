# SPDX-License-Identifier: Apache-2.0
"""How each container engine learns of the runtime, and forgets it; kontain_preflight.engines looks at it."""

from __future__ import annotations

from dataclasses import replace
from typing import Callable, Dict, List, Optional, Sequence

from .. import looks
from ..changes import Change
from ..errors import NOT_ROOT, WRONG_USAGE, HostError
from ..host import Host
from ..journal import Journal
from ..report import Report
from . import conmon, containerd, containerd_tasks, crio, docker, podman
from .registration import Registration as Registration

NAME = looks.engines.RUNTIME
"""The runtime's name in every engine."""
users_who_registered = docker.users_who_registered

_SECOND_NAME = "krun"
ENGINES = sorted(engine.name for engine in looks.engines.ENGINES)
RESTARTED = containerd.OWNER
"""The one that reads its configuration only when it starts."""
USUAL = (docker.OWNER, podman.OWNER)
"""Those that get the runtime when nobody chose any, as far as a host has them.

The others serve Kubernetes, whose operator decides; containerd also would need a restart.
"""
DEFAULT = looks.engines.DEFAULT.name
"""The engine that a host gets that has none."""
_PACKAGED = {engine.name: engine.program for engine in (docker.ENGINE, podman.ENGINE)}


def present(host: Host) -> List[str]:
    """Return the engines that this host has, of those that Kontain knows."""
    return [engine for engine in ENGINES if _is_present(host, engine)]


def usual(host: Host) -> List[str]:
    """Return the usual engines of this host."""
    return [engine for engine in USUAL if _is_present(host, engine)]


def wanted_programs(names: Sequence[str]) -> List[str]:
    """Return the programs of those of the engines that packages of distributions bring."""
    return [_PACKAGED[name] for name in names if name in _PACKAGED]


def containers(host: Host, journal: Journal) -> List[str]:
    """Return a line for each container that runs by our runtime, naming engine and container."""
    found = [f"{podman.OWNER} container {name}" for name in conmon.containers(host)]
    found += containerd_tasks.containers(host)
    found += [f"{docker.OWNER} container {name}" for name in docker.containers(host, journal)]
    return sorted(set(found))


def _is_present(host: Host, name: str) -> bool:
    if name == containerd.OWNER:  # Kubernetes may bring one
        return containerd.is_present(host)
    return any(one.name == name and one.is_present(host) for one in looks.engines.ENGINES)


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
            f"an ordinary user has a configuration of their own for {docker.OWNER} only; "
            "users' podman reads what root registers",
            "run the same with sudo",
            NOT_ROOT,
        )
    if registration and registration.builds and (engine != docker.OWNER or host.environment):
        raise HostError(
            f"cannot let {engine} build in VMs",
            "only root's docker can: its service is changed",
            "run `sudo kontain register docker --builds`",
            WRONG_USAGE,
        )
    if not _is_present(host, engine):
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
