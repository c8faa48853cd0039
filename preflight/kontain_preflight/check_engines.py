# SPDX-License-Identifier: Apache-2.0
"""Checks of the backend, the engines, and names that are taken already."""

from __future__ import annotations

from typing import Callable, List

from .check_system import HYBRID, cgroup_mode, version_of
from .engines import (
    BACKENDS,
    DOCKER,
    ENGINES,
    RUNTIME,
    Engine,
    describe,
    docker_runtimes,
    podman_runtimes,
    program_version,
    rootless_dockers,
)
from .facts import install_command
from .host import Host
from .results import Result, failed, passed, skipped, warned


def check_backend(host: Host) -> Result:
    """There is a crun or runc for krun to become, and it fits the host's control groups."""
    found = {name: host.which(name) for name in BACKENDS if host.which(name)}
    versions = {name: program_version(host, path) for name, path in found.items()}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    if not found:
        return warned(
            "neither crun nor runc is installed",
            "krun runs containers by one of them; the installer brings podman, and that crun",
            f"run `{install_command(host, default='crun')}`",
        )
    if cgroup_mode(host) != HYBRID:
        return passed(listed, versions=versions, fits=list(found))
    if "runc" in found:
        return passed(
            f"{listed}; for hybrid control groups it is runc", versions=versions, fits=["runc"]
        )
    return warned(
        f"{listed}, but the control groups are hybrid",
        "crun refuses control groups in hybrid mode, runc takes them",
        f"run `{install_command(host, default='runc')}`, or boot with "
        "`systemd.unified_cgroup_hierarchy=1`",
        versions=versions,
        fits=[],
    )


def check_engines(host: Host) -> Result:
    """There is a container engine that Kontain can be registered with."""
    present = [engine.name for engine in ENGINES if host.which(engine.program)]
    if present:
        return passed(", ".join(present), engines=present)
    return warned(
        "no docker, podman, containerd or CRI-O",
        "km runs programs without one; the installer brings podman",
        f"run `{install_command(host, default='podman')}`",
        engines=present,
    )


def _check_engine(host: Host, engine: Engine) -> Result:
    details = describe(host, engine)
    if details is None:
        return skipped(f"there is no {engine.program}")
    running = ""
    if engine.socket:
        running = ", runs" if details["running"] else ", does not run or not for this user"
    # The version of a docker that does not run is that of its client.
    whose = "client version" if engine is DOCKER and not details["running"] else "version"
    found = f"{whose} {details['version'] or 'unknown'}{running}"
    version = version_of(details["version"])
    if version is None or version >= engine.oldest:
        return passed(found, **details)
    wanted = ".".join(map(str, engine.oldest))
    return warned(
        f"{found}, wanted {wanted} or newer",
        f"from {wanted} on {engine.reason}",
        f"upgrade {engine.name}, or install Kontain for the other engines only",
        **details,
    )


def engine_check(engine: Engine) -> Callable[[Host], Result]:
    """Return the check of one engine."""

    def check(host: Host) -> Result:
        return _check_engine(host, engine)

    check.__doc__ = f"Where {engine.program} is installed, it can be told of a further runtime."
    return check


def check_docker_config(host: Host) -> Result:
    """The daemon.json of docker can be read, and gives the name of Kontain's runtime to nothing else."""
    path = "/etc/docker/daemon.json"
    try:
        runtimes = docker_runtimes(host)
    except PermissionError:
        return skipped(f"{path} may not be read by user {host.user().name}", "use sudo")
    except ValueError as error:
        return failed(
            f"{path}: {error}",
            "dockerd would not start with it",
            f"repair that place of {path}; `python3 -m json.tool {path}` names it, too",
        )
    return _check_name(host, path, [runtimes[RUNTIME]] if RUNTIME in runtimes else [])


def check_podman_config(host: Host) -> Result:
    """The containers.conf of podman gives the name of Kontain's runtime to nothing else."""
    return _check_name(host, "containers.conf", podman_runtimes(host).get(RUNTIME, []))


def _check_name(host: Host, file: str, paths: List[str]) -> Result:
    wanted = f"{host.prefix}/bin/krun"
    others = [path for path in paths if path != wanted]
    if not others:
        return passed(f'the runtime "{RUNTIME}" is {"registered" if paths else "free"}')
    return failed(
        f'{file} has a runtime "{RUNTIME}" with path {others[0]}, wanted {wanted}',
        "the name can mean one program only",
        f'remove the runtime "{RUNTIME}" from {file}, or let `kontain register --replace` take the '
        "name; an uninstallation gives it back",
        path=others[0],
    )


def check_name_krun(host: Host) -> Result:
    """No other program has the name krun, as libkrun's has."""
    path = host.which("krun")
    ours = not path or host.real_path(path).startswith(f"{host.prefix}/")
    if ours:
        return passed("the name is free")
    return warned(
        f"{path} is another program, probably libkrun's",
        "engines keep the runtime `krun` for it, and get Kontain as `kontain` only",
        "use `--runtime kontain`, and ignore this check",
        path=path,
    )


def check_docker_snap(host: Host) -> Result:
    """Docker was not installed as a snap."""
    if not host.exists("/snap/docker/current"):
        return passed("there is no snap of docker")
    return warned(
        "docker is installed as a snap",
        "a snap sees only its own files: neither the prefix nor /etc/docker/daemon.json",
        "install docker.io or docker-ce in its place, after you have saved the images and volumes "
        "of the snap: `snap remove docker` removes them with it",
    )


def check_docker_rootless(host: Host) -> Result:
    """Each docker of a user's own, which has a configuration of its own, knows the runtime."""
    dockers = rootless_dockers(host)
    if not dockers:
        return passed("no docker runs rootless")
    without = [uid for uid, knows in dockers.items() if not knows]
    if not without:
        return passed(f"known to docker of uid {', '.join(dockers)}", users=list(dockers))
    return warned(
        f"docker runs rootless for uid {', '.join(without)}, without the runtime {RUNTIME}",
        "such a docker reads ~/.config/docker/daemon.json, which is for its user to change",
        f"as that user, run `{host.prefix}/bin/kontain register docker`",
        users=without,
    )
