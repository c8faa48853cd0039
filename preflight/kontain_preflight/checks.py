# SPDX-License-Identifier: Apache-2.0
"""All checks in their order, and how they are run."""

from __future__ import annotations

import time
from typing import Callable, Dict, FrozenSet, Iterable, List, NamedTuple, Tuple

from . import check_engines, check_installed, check_kvm, check_security, check_system, proof
from .engines import ENGINES, kubernetes
from .facts import all_facts
from .host import Host
from .results import PASS, Report, Result, failed, skipped


class Check(NamedTuple):
    """One check; it is skipped when one of those that it `needs` did not pass."""

    id: str
    find: Callable[[Host], Result]
    needs: Tuple[str, ...] = ()

    @property
    def title(self) -> str:
        """Return the statement that the check verifies."""
        return (self.find.__doc__ or self.id).splitlines()[0]


CHECKS = (
    Check("architecture", check_system.check_architecture),
    Check("kernel", check_system.check_kernel),
    Check("python", check_system.check_python),
    Check("kvm-device", check_kvm.check_kvm_device),
    Check("kvm-access", check_kvm.check_kvm_access, ("kvm-device",)),
    Check("kvm-api", check_kvm.check_kvm_api, ("kvm-access",)),
    Check("kvm-capabilities", check_kvm.check_kvm_capabilities, ("kvm-api",)),
    Check("kvm-vm", check_kvm.check_kvm_vm, ("kvm-api",)),
    Check("kvm-vcpu", check_kvm.check_kvm_vcpu, ("kvm-vm",)),
    Check("kvm-guest", check_kvm.check_kvm_guest, ("kvm-vcpu",)),
    Check("prefix-space", check_system.check_prefix_space),
    Check("prefix-exec", check_system.check_prefix_exec),
    Check("var-space", check_system.check_var_space),
    Check("cgroup", check_system.check_cgroup),
    Check("backend", check_engines.check_backend),
    Check("engines", check_engines.check_engines),
    *(Check(f"engine-{e.name}", check_engines.engine_check(e)) for e in ENGINES),
    *(Check(name, find) for e in ENGINES for name, find in e.checks()),
    Check("name-krun", check_engines.check_name_krun),
    Check("selinux", check_security.check_selinux),
    Check("apparmor", check_security.check_apparmor),
    Check("compilers", check_system.check_compilers),
)

INSTALLED = (  # only `kontain verify` makes them: they read every file
    Check("files", check_installed.check_files),
    *(Check(f"registered-{e.name}", check_installed.registered_check(e)) for e in ENGINES),
    *(
        Check(f"registered-{one.name}", check_installed.distribution_check(one))
        for one in kubernetes.DISTRIBUTIONS
    ),
)

PROOFS = (
    Check("proof-km", proof.prove_km, ("kvm-guest",)),
    Check("proof-krun", proof.prove_krun, ("proof-km", "backend")),
    *(
        Check(f"proof-{e.name}", proof.engine_proof(e), ("proof-krun",))
        for e in ENGINES
        if e.client
    ),
)

_ASKING_VERSIONS = frozenset(["backend", *(f"engine-{e.name}" for e in ENGINES)])


def run_checks(
    host: Host, checks: Iterable[Check] = CHECKS + PROOFS, ignore: Iterable[str] = ()
) -> Report:
    """Run every check, in order, whatever the earlier ones found.

    A result whose id is in `ignore` does not count in the verdict, but those that need it are
    skipped all the same.
    """
    ignored = frozenset(ignore)
    results: Dict[str, Result] = {}
    checks = tuple(checks)
    try:
        if _ASKING_VERSIONS.intersection(check.id for check in checks):
            check_engines.start_version_queries(host)
        for check in checks:
            results[check.id] = _run_check(host, check, results, ignored)
        return Report(tuple(results.values()), all_facts(host), host.release_version())
    finally:
        host.close()


def unknown_ids(ids: Iterable[str]) -> List[str]:
    """Return those of `ids` that no check has."""
    known = {check.id for check in CHECKS + INSTALLED + PROOFS}
    return [name for name in ids if name not in known]


def _run_check(
    host: Host, check: Check, earlier: Dict[str, Result], ignored: FrozenSet[str]
) -> Result:
    began = time.perf_counter()
    missing = [need for need in check.needs if need in earlier and not _holds(earlier[need])]
    if missing:
        result = skipped(f"it needs {missing[0]}, which did not pass")
    else:
        result = _find(host, check)
    return result._replace(
        check=check.id,
        title=check.title,
        ignored=check.id in ignored,
        milliseconds=round((time.perf_counter() - began) * 1000, 3),
    )


def _holds(result: Result) -> bool:
    return result.status == PASS


def _find(host: Host, check: Check) -> Result:
    """Make the check; its crash is its own failure, and not that of the others."""
    try:
        return check.find(host)
    except Exception as error:  # noqa: BLE001  # whatever it is, the other checks go on
        return failed(
            f"the check itself failed: {type(error).__name__}: {error}",
            "the check has a fault, or this host is unusual",
            "report it with the output of `kontain check --json`; to continue, use "
            f"`--ignore {check.id}`",
        )
