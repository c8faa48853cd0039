# SPDX-License-Identifier: Apache-2.0
"""Checks of the backend, the engines, and names that are taken already."""

from __future__ import annotations

from typing import Callable

from .check_system import HYBRID, cgroup_mode
from .engines import DEFAULT, ENGINES, Engine, program_version, version_in
from .facts import install_command
from .host import Host
from .results import Result, passed, skipped, warned

BACKENDS = ("crun", "runc")


def start_version_queries(host: Host) -> None:
    """Let all programs tell their versions at once, while the checks do other things."""
    programs = [engine.quick_program(host) for engine in ENGINES if engine.is_present(host)]
    for program in programs + [host.which(name) for name in BACKENDS]:
        if program:
            host.start(program, "--version")


def check_backend(host: Host) -> Result:
    """There is a crun or runc for krun to become, and it fits the host's control groups."""
    found = {name: host.which(name) for name in BACKENDS if host.which(name)}
    versions = {name: program_version(host, path) for name, path in found.items()}
    listed = ", ".join(f"{name} {version}" for name, version in versions.items())
    hybrid = cgroup_mode(host) == HYBRID
    if not found:
        fit = "runc" if hybrid else "crun"
        return warned(
            "neither crun nor runc is installed",
            f"krun runs containers by one of them; the installer brings {fit}",
            f"run `{install_command(host, default=fit)}`",
        )
    if not hybrid:
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
    present = [engine.name for engine in ENGINES if engine.is_present(host)]
    if present:
        return passed(", ".join(present), engines=present)
    labels = [engine.label for engine in ENGINES]
    return warned(
        f"no {', '.join(labels[:-1])} or {labels[-1]}",
        f"km runs programs without one; the installer brings {DEFAULT.name}",
        f"run `{install_command(host, default=DEFAULT.name)}`",
        engines=present,
    )


def _check_engine(host: Host, engine: Engine) -> Result:
    details = engine.describe(host)
    if details is None:
        return skipped(f"there is no {engine.program}")
    running = ""
    if engine.socket:
        running = ", runs" if details["running"] else ", does not run or not for this user"
    # Its client may be another version than a daemon that nobody can ask.
    is_clients = engine.quick_program(host) != details["program"] and not details["running"]
    whose = "client version" if is_clients else "version"
    found = f"{whose} {details['version'] or 'unknown'}{running}"
    version = version_in(details["version"])
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

    check.__doc__ = f"Where {engine.program} is installed, it accepts a further runtime."
    return check


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
