# SPDX-License-Identifier: Apache-2.0
"""Checks of an installed Kontain: its files, and what the engines' configurations say of it."""

from __future__ import annotations

from typing import Callable, List

from .engines import RUNTIME, Engine, kubernetes
from .engines.kubernetes import Distribution
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


def registered_check(engine: Engine) -> Callable[[Host], Result]:
    """Return the check of what an engine's configuration says of the runtime."""

    def check(host: Host) -> Result:
        if not host.release or not engine.is_present(host):
            return _absent(host, engine.name)
        result = _judge(host, engine.name, engine.name, lambda: engine.programs(host))
        return (engine.misuse(host) if result.status == PASS else None) or result

    label = engine.label
    check.__doc__ = (
        f"{label[0].upper()}{label[1:]}'s configuration, where there is {label}, "
        "leads to this Kontain."
    )
    return check


def distribution_check(one: Distribution) -> Callable[[Host], Result]:
    """Return the check of a distribution of Kubernetes that makes its configuration at each start."""

    def check(host: Host) -> Result:
        if not host.release or not one.is_present(host):
            return _absent(host, one.name)
        engine = kubernetes.ENGINE.name
        result = _judge(host, one.name, engine, lambda: kubernetes.programs(host, one))
        if result.status != PASS or kubernetes.programs(host, one, loaded=True):
            return result
        return warned(
            f'{one.name} does not know the runtime "{RUNTIME}" yet',
            f"it makes the configuration of its {engine} when it starts",
            f"run `{one.restart}`, during which containers keep running",
        )

    check.__doc__ = (
        f"The configuration of {one.name}'s {kubernetes.ENGINE.name}, where there is {one.name}, "
        "leads to this Kontain."
    )
    return check


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
