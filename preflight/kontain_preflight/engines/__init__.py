# SPDX-License-Identifier: Apache-2.0
"""The container engines: each has a file here that looks at it, and one in kontain_host.engines that changes it.

The facts of an engine stand in these two and nowhere else: others ask `ENGINES`.
"""

from __future__ import annotations

from .containerd import CONTAINERD
from .crio import CRIO
from .docker import DOCKER
from .engine import RUNTIME, Engine, program_version, version_in
from .podman import PODMAN

ENGINES = (DOCKER, PODMAN, CONTAINERD, CRIO)
DEFAULT = PODMAN
"""The engine that the installer brings to a host without any."""
NAMES = tuple(sorted(engine.name for engine in ENGINES))
MARKS = tuple(engine.mark for engine in ENGINES if engine.mark)
"""Files by which a process sees that an engine runs it."""

__all__ = [
    "DEFAULT",
    "ENGINES",
    "MARKS",
    "NAMES",
    "RUNTIME",
    "Engine",
    "program_version",
    "version_in",
]
