# SPDX-License-Identifier: Apache-2.0
"""Checks of an installed Kontain: its files, and what the engines' configurations say of it."""

from __future__ import annotations

from typing import Callable, List

from .engines import (
    CONTAINERD,
    CRIO,
    DOCKER,
    PODMAN,
    RANCHERS,
    RUNTIME,
    Engine,
    containerd_runtime,
    crio_runtime,
    docker_runtimes,
    has_rancher,
    outside_of_slices,
    podman_runtimes,
    rancher_runtime,
)
from .host import Host
from .results import PASS, Result, failed, passed, skipped, warned

_SHOWN = 5  # files in a message


def check_files(host: Host) -> Result:
    """Every file of the release is the one that was installed."""
    if not host.release:
        return skipped(
            "it is for an installed Kontain", "name its folder: `--prefix /opt/kontain`"
        )
    from pathlib import Path  # noqa: PLC0415  # 5 ms that only `kontain verify` pays

    from . import manifest  # noqa: PLC0415  # likewise

    path = f"{host.release}/{manifest.NAME}"
    if not host.exists(path):
        return skipped(f"{host.release} has no {manifest.NAME}: it is a checkout")
    try:
        listed = manifest.parse(host.read(path).encode())
    except ValueError as error:
        wrong, why = [manifest.NAME], str(error)
    else:
        wrong, _ = manifest.differences(Path(host.place(host.release)), listed)
        why = f"{len(wrong)} of {len(listed)} files are not those of {path}"
    if not wrong:
        return passed(f"{len(listed)} files have the SHA-256 of their release", files=len(listed))
    return failed(
        f"missing or changed: {', '.join(wrong[:_SHOWN])}",
        why,
        "install this release again: `sudo kontain install BUNDLE`",
        wrong=wrong,
    )


def check_registered_docker(host: Host) -> Result:
    """Docker's configuration, where there is docker, leads to this Kontain."""
    return _registered(host, DOCKER, lambda: [docker_runtimes(host).get(RUNTIME, "")])


def check_registered_podman(host: Host) -> Result:
    """Podman's configuration, where there is podman, leads to this Kontain."""
    return _registered(host, PODMAN, lambda: podman_runtimes(host).get(RUNTIME, []))


def check_registered_containerd(host: Host) -> Result:
    """Containerd's configuration, where there is containerd, leads to this Kontain."""
    result = _registered(host, CONTAINERD, lambda: [containerd_runtime(host)])
    outside = outside_of_slices(host) if result.status == PASS else []
    if not outside:
        return result
    shown = ", ".join(outside[:_SHOWN])
    return warned(
        f"containers of pods are outside of their slices: process {shown}",
        "the kubelet's driver of control groups is systemd, and their runtime was not told so: "
        "the limits of their pods do not hold",
        "run `kontain register containerd`, `systemctl restart containerd`, then make these pods "
        "anew; where it is not Kontain's, set SystemdCgroup of that runtime in containerd's "
        "configuration",
        processes=outside,
    )


def check_registered_crio(host: Host) -> Result:
    """CRI-O's configuration, where there is CRI-O, leads to this Kontain."""
    return _registered(host, CRIO, lambda: [crio_runtime(host)])


def rancher_check(name: str) -> Callable[[Host], Result]:
    """Return the check of a Kubernetes of Rancher's, k3s or rke2."""

    def check(host: Host) -> Result:
        if not host.release or not has_rancher(host, name):
            return _absent(host, name)
        result = _judge(host, name, "containerd", lambda: [rancher_runtime(host, name)])
        if result.status != PASS or rancher_runtime(host, name, loaded=True):
            return result
        return warned(
            f'{name} does not know the runtime "{RUNTIME}" yet',
            "it reads the template of its containerd's configuration when it starts",
            f"run `systemctl restart {RANCHERS[name]}`, during which containers go on",
        )

    check.__doc__ = (
        f"The template of {name}'s containerd, where there is {name}, leads to this Kontain."
    )
    return check


def _registered(host: Host, engine: Engine, paths: Callable[[], List[str]]) -> Result:
    if not host.release or not host.which(engine.program):
        return _absent(host, engine.name)
    return _judge(host, engine.name, engine.name, paths)


def _absent(host: Host, name: str) -> Result:
    return skipped(f"there is no {name}" if host.release else "Kontain is not installed")


def _judge(host: Host, name: str, option: str, paths: Callable[[], List[str]]) -> Result:
    """Judge the programs that the configuration of `name` has; `option` is for --engines."""
    wanted = f"{host.prefix}/bin/krun"
    try:
        found = [path for path in paths() if path]
    except (PermissionError, ValueError) as error:
        return skipped(f"its configuration cannot be read: {error}", "use sudo")
    if not found:
        return skipped(
            f'{name} does not know the runtime "{RUNTIME}"',
            f"to register it, run `sudo ./install.sh --engines {option}`",
        )
    if wanted in found and host.exists(wanted):
        return passed(f'the runtime "{RUNTIME}" is {wanted}')
    return failed(
        f'the runtime "{RUNTIME}" is {found[0]}, wanted {wanted}',
        "another program would run the containers" if wanted not in found else "it is missing",
        f"correct the configuration of {name}, or install Kontain again",
    )
