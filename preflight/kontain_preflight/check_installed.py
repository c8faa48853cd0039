# SPDX-License-Identifier: Apache-2.0
"""Checks of an installed Kontain: its files, and what the engines' configurations say of it."""

from __future__ import annotations

import hashlib
from typing import Callable, List

from .engines import (
    CONTAINERD,
    CRIO,
    DOCKER,
    PODMAN,
    RUNTIME,
    containerd_runtime,
    crio_runtime,
    docker_runtimes,
    podman_runtimes,
)
from .host import Host
from .results import Result, failed, passed, skipped

_MANIFEST = "MANIFEST"
_CHUNK = 1 << 20
_SHOWN = 5  # files in a message


def check_files(host: Host) -> Result:
    """Every file of the release is the one that was installed."""
    if not host.release:
        return skipped(
            "it is for an installed Kontain", "name its folder: `--prefix /opt/kontain`"
        )
    manifest = f"{host.release}/{_MANIFEST}"
    if not host.exists(manifest):
        return skipped(f"{host.release} has no {_MANIFEST}: it is a checkout")
    lines = host.read(manifest).splitlines()
    wrong = [line[66:] for line in lines if not _is_intact(host, line)]
    if not wrong:
        return passed(f"{len(lines)} files have the SHA-256 of their release", files=len(lines))
    return failed(
        f"missing or changed: {', '.join(wrong[:_SHOWN])}",
        f"{len(wrong)} of {len(lines)} files are not those of {manifest}",
        "install this release again: `sudo kontain install BUNDLE`",
        wrong=wrong,
    )


def check_registered_docker(host: Host) -> Result:
    """Docker's configuration, where there is docker, leads to this Kontain."""
    return _registered(host, DOCKER.name, DOCKER.program, _docker_paths)


def check_registered_podman(host: Host) -> Result:
    """Podman's configuration, where there is podman, leads to this Kontain."""
    return _registered(host, PODMAN.name, PODMAN.program, _podman_paths)


def check_registered_containerd(host: Host) -> Result:
    """Containerd's configuration, where there is containerd, leads to this Kontain."""
    return _registered(host, CONTAINERD.name, CONTAINERD.program, _containerd_paths)


def check_registered_crio(host: Host) -> Result:
    """CRI-O's configuration, where there is CRI-O, leads to this Kontain."""
    return _registered(host, CRIO.name, CRIO.program, _crio_paths)


def _registered(
    host: Host, engine: str, program: str, paths: Callable[[Host], List[str]]
) -> Result:
    if not host.release or not host.which(program):
        return skipped(f"there is no {engine}" if host.release else "Kontain is not installed")
    wanted = f"{host.prefix}/bin/krun"
    try:
        found = paths(host)
    except (PermissionError, ValueError) as error:
        return skipped(f"its configuration cannot be read: {error}", "use sudo")
    if not found:
        return skipped(
            f'{engine} does not know the runtime "{RUNTIME}"',
            f"to register it, run `sudo ./install.sh --engines {engine}`",
        )
    if wanted in found and host.exists(wanted):
        return passed(f'the runtime "{RUNTIME}" is {wanted}')
    return failed(
        f'the runtime "{RUNTIME}" is {found[0]}, wanted {wanted}',
        "another program would run the containers" if wanted not in found else "it is missing",
        f"correct the configuration of {engine}, or install Kontain again",
    )


def _docker_paths(host: Host) -> List[str]:
    path = docker_runtimes(host).get(RUNTIME)
    return [] if path is None else [path]


def _podman_paths(host: Host) -> List[str]:
    return podman_runtimes(host).get(RUNTIME, [])


def _containerd_paths(host: Host) -> List[str]:
    path = containerd_runtime(host)
    return [path] if path else []


def _crio_paths(host: Host) -> List[str]:
    path = crio_runtime(host)
    return [path] if path else []


def _is_intact(host: Host, line: str) -> bool:
    """Return whether the file of a line of `sha256sum` has that sum."""
    digest = hashlib.sha256()
    try:
        with open(host.path(f"{host.release}/{line[66:]}"), "rb") as file:  # noqa: PTH123  a str
            for chunk in iter(lambda: file.read(_CHUNK), b""):
                digest.update(chunk)
    except OSError:
        return False
    return digest.hexdigest() == line[:64]
