# SPDX-License-Identifier: Apache-2.0
"""Make a host a Kontain host in one transaction: the release, KVM, and each engine."""

from __future__ import annotations

from pathlib import Path
from typing import Callable, List, Optional, Sequence

from . import engines, kvm, release
from .bundle import Bundle, open_bundle
from .changes import Change
from .errors import WRONG_USAGE, HostError
from .host import Host
from .report import Report
from .transaction import perform


def install(
    host: Host,
    bundle_file: Path,
    chosen: Optional[Sequence[str]] = None,
    *,
    restart: bool = False,
    check: bool = False,
) -> Report:
    """Install a bundle and register its runtime in the `chosen` engines (default: `engines.usual`).

    With `restart`, an engine that has to start anew to know the runtime does so, now and when the
    installation is taken back. Raises HostError; then the host is as before.
    """
    bundle = open_bundle(host, bundle_file)
    plan = planner(host, bundle, engines_of(host, chosen), restart=restart)
    report = perform(host, f"install {bundle.version}", plan, check=check)
    if report.changed and not check:
        release.collect(host, report)
    return report


def engines_of(host: Host, chosen: Optional[Sequence[str]]) -> List[str]:
    """Return the engines that were `chosen`, or by default those that the host has."""
    names = engines.usual(host) if chosen is None else list(chosen)
    _refuse_unknown(names)
    return names


def planner(
    host: Host, bundle: Bundle, names: Sequence[str], *, restart: bool = False
) -> Callable[[Report], List[Change]]:
    """Return what plans the installation of a bundle with the runtime in these engines."""

    def plan(report: Report) -> List[Change]:
        changes = release.plan(host, bundle, report)
        changes += kvm.plan(host, "leave", (), report)
        for name in names:
            wish = engines.Registration(restart=restart and name == engines.RESTARTED)
            changes += engines.plan(host, name, report, wish)
        return changes

    return plan


def _refuse_unknown(names: Sequence[str]) -> None:
    unknown = [name for name in names if name not in engines.ENGINES]
    if unknown:
        raise HostError(
            f"cannot register the runtime in {', '.join(unknown)}",
            f"the engines that Kontain knows are {', '.join(engines.ENGINES)}",
            "give some of them, separated by commas",
            WRONG_USAGE,
        )
