# SPDX-License-Identifier: Apache-2.0
"""A plan that is written down, read by a person, and applied later to the very host it was made for.

A plan file is JSON: `schema`, `kontain` (the version that wrote it), `bundle` (`file` and
`manifest`, the SHA-256 of its MANIFEST), `engines`, `steps` and `diff`. A step has `kind`, `path`,
`owner`, `reason`, and what identifies the states `before` and `after`.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from . import install, release
from .bundle import open_bundle
from .changes import Change, missing_parents
from .errors import DRIFTED, WRONG_USAGE, HostError, named
from .files import identity
from .host import Host
from .report import Report
from .transaction import perform

SCHEMA = 1
_KEYS = {"schema": int, "bundle": dict, "engines": list, "steps": list}
_SHOWN = 5  # differences in an error


def make(host: Host, bundle_file: Path, chosen: Optional[Sequence[str]] = None) -> Dict[str, Any]:
    """Return the plan that installs a bundle on this host as it is now, and change nothing."""
    bundle = open_bundle(host, bundle_file)
    names = install.engines_of(host, chosen)
    found: List[Dict[str, Any]] = []

    def plan(report: Report) -> List[Change]:
        changes = install.planner(host, bundle, names)(report)
        found.extend(steps(host, changes))
        return changes

    report = perform(host, f"install {bundle.version}", plan, check=True)
    return {
        "schema": SCHEMA,
        "version": bundle.version,
        "bundle": {"file": str(bundle_file.absolute()), "manifest": bundle.digest},
        "engines": names,
        "steps": found,
        "warnings": report.warnings,
        "diff": report.diff,
    }


def apply(host: Host, wanted: Dict[str, Any]) -> Report:
    """Carry a plan out; raise HostError, and change nothing, where the host or bundle has drifted."""
    file = Path(wanted["bundle"]["file"])
    bundle = open_bundle(host, file)
    if bundle.digest != wanted["bundle"]["manifest"]:
        raise _drifted(f"{file} is not the bundle that the plan was made with")
    names = install.engines_of(host, wanted["engines"])

    def plan(report: Report) -> List[Change]:
        changes = install.planner(host, bundle, names)(report)
        _compare(wanted["steps"], steps(host, changes))
        return changes

    report = perform(host, f"install {bundle.version}", plan)
    if report.changed:
        release.collect(host, report)
    return report


def steps(host: Host, changes: Sequence[Change]) -> List[Dict[str, Any]]:
    """Return what `changes` would do to the host as it is, in their order, folders included."""
    found: Dict[str, Dict[str, Any]] = {}
    for change in changes:
        if not change.is_pending(host):
            continue
        for one in [*missing_parents(host, change), change]:
            found.setdefault(
                f"{one.kind} {one.path} {json.dumps(one.params(), sort_keys=True)}",
                {
                    "kind": one.kind,
                    "path": one.path,
                    "owner": one.owner,
                    "reason": one.reason,
                    "before": identity(one.now(host)),
                    "after": identity(one.after(host)),
                },
            )
    return list(found.values())


def read(file: Path) -> Dict[str, Any]:
    """Read a plan file; raise HostError that says what in it is not a plan's."""
    with named(f"cannot read the plan {file}"):
        content = file.read_bytes()
    try:
        plan = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise _no_plan(file, str(error)) from None
    if not isinstance(plan, dict):
        raise _no_plan(file, "its outermost value is not an object")
    for key, kind in _KEYS.items():
        if not isinstance(plan.get(key), kind):
            raise _no_plan(
                file, f"its {key!r} is {plan.get(key)!r}, wanted a JSON {kind.__name__}"
            )
    if plan["schema"] != SCHEMA:
        raise _no_plan(file, f"its schema is {plan['schema']}, wanted {SCHEMA}")
    if not all(isinstance(plan["bundle"].get(key), str) for key in ("file", "manifest")):
        raise _no_plan(file, "its bundle has no file and manifest")
    if not all(
        isinstance(step, dict) and {"path", "kind"} <= step.keys() for step in plan["steps"]
    ):
        raise _no_plan(file, "a step of it has no path and kind")
    return plan


def _compare(planned: List[Dict[str, Any]], found: List[Dict[str, Any]]) -> None:
    if planned == found:
        return
    before = {(step["kind"], step["path"]): step for step in planned}
    now = {(step["kind"], step["path"]): step for step in found}
    texts = []
    for key in [*before, *(key for key in now if key not in before)]:
        if before.get(key) == now.get(key):
            continue
        if key not in now:
            texts.append(f"{key[1]} needs no change any more")
        elif key not in before:
            texts.append(f"{key[1]} needs a change that was not planned")
        else:
            texts.append(
                f"{key[1]} is {_short(now[key]['before'])}, "
                f"planned with {_short(before[key].get('before'))}"
            )
    raise _drifted("; ".join(texts[:_SHOWN]) or "the steps are in another order")


def _short(state: Any) -> str:
    """Return a state's identity as a few words."""
    if not isinstance(state, dict):
        return repr(state)
    return " ".join(str(value)[:16] for value in state.values())


def _drifted(why: str) -> HostError:
    return HostError(
        "cannot apply the plan",
        f"the host has drifted since it was made: {why}",
        "make a new plan with `kontain plan`, and read it",
        DRIFTED,
    )


def _no_plan(file: Path, why: str) -> HostError:
    return HostError(
        f"cannot read the plan {file}",
        why,
        "make one with `kontain plan BUNDLE -o FILE`",
        WRONG_USAGE,
    )
