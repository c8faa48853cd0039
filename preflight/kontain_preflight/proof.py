# SPDX-License-Identifier: Apache-2.0
"""The proofs: the hello payload runs in a virtual machine, by km, by krun and by each engine.

The payload prints what uname(2) told it; only km's answers end in `.kontain.KVM`.
"""

from __future__ import annotations

import re
import time
from typing import Callable, Optional

from .engines import RUNTIME, Engine
from .facts import install_command
from .host import HELLO, Host
from .programs import Output
from .results import Result, failed, passed, skipped

_RELEASE = re.compile(r"\S+\.kontain\.KVM(?=\s|$)")
_UNKNOWN_RUNTIME = re.compile(
    r"unknown (?:or invalid )?runtime|OCI runtime \S+ not found", re.IGNORECASE
)
_PARSER = "apparmor_parser"


def prove_km(host: Host) -> Result:
    """The km of this release runs the hello payload in a virtual machine."""
    return _absence(host) or _prove(host, run_by_km)


def prove_krun(host: Host) -> Result:
    """The krun of this release runs the hello payload from a bundle."""
    from .containers import run_by_krun  # noqa: PLC0415  # 20 ms that only proofs need pay

    return _absence(host, as_root=True) or _prove(host, run_by_krun)


def engine_proof(engine: Engine) -> Callable[[Host], Result]:
    """Return the proof that an engine runs a container whose program is in a virtual machine."""

    def prove(host: Host) -> Result:
        return _absence_of(host, engine) or _prove(host, engine.run, engine)

    label = engine.label
    prove.__doc__ = (
        f"{label[0].upper()}{label[1:]} runs a container whose program is in a virtual machine."
    )
    return prove


def _absence_of(host: Host, engine: Engine) -> Optional[Result]:
    """Return the result of a proof by an engine that there is nothing to make with."""
    if not engine.is_present(host) or not host.which(engine.client):
        needs = "" if engine.client == engine.program else f", or no program {engine.client}"
        return skipped(f"there is no {engine.program}{needs}")
    absence = _absence(host, as_root=engine.needs_root)
    if absence:
        return absence
    if not engine.registers_itself and not engine.knows_runtime(host):
        return _unknown_runtime(host, engine)
    if engine.socket and not host.listens(engine.socket_path()):
        may = "" if engine.needs_root else f", or user {host.user().name} may not use it"
        return skipped(
            f"{engine.name} does not run{may}",
            f"run `systemctl start {engine.name}`, then `kontain verify`",
        )
    return None


def run_by_km(host: Host) -> Output:
    """Run the hello payload by km."""
    return host.run(f"{host.release}/bin/km", f"{host.release}/share/{HELLO}")


def _absence(host: Host, *, as_root: bool = False) -> Optional[Result]:
    """Return the result of a proof that there is nothing to make with."""
    if not host.release:
        return skipped(
            "it is for an installed Kontain", "name its folder: `--prefix /opt/kontain`"
        )
    if as_root and host.user().uid != 0:
        return skipped("it needs root", "run `sudo kontain verify`")
    return None


def _prove(host: Host, run: Callable[[Host], Output], engine: Optional[Engine] = None) -> Result:
    began = time.perf_counter()
    try:
        output = run(host)
    except OSError as error:  # among them TimeoutError
        return failed(str(error), "it did not end", _advice(host, engine))
    took = (time.perf_counter() - began) * 1000
    if output.status != 0 and engine and _UNKNOWN_RUNTIME.search(output.stderr):
        return _unknown_runtime(host, engine)
    lacks_parser = _PARSER in output.stderr  # of an old engine, on a kernel that has AppArmor on
    advice = f"run `{install_command(host, default='apparmor')}`" if lacks_parser else ""
    return _judge(output, took, advice or _advice(host, engine))


def _judge(output: Output, took: float, advice: str) -> Result:
    proof = _RELEASE.search(output.stdout)
    if output.status == 0 and proof:
        return passed(
            f"{proof.group()} in {took:.0f} ms", release=proof.group(), run_ms=round(took, 3)
        )
    if output.stdout.strip() and not proof:  # with status 1: the payload itself says so
        return failed(
            f"it ran, but not in a virtual machine: it printed {output.stdout.strip()[:200]!r}",
            "wanted a kernel release that ends in .kontain.KVM",
            "install this release of Kontain again: `sudo ./install.sh`",
        )
    problem, fix = output.two_lines
    return failed(
        problem or "it said nothing",
        f"the exit status is {output.status}, wanted 0",
        fix or advice,
    )


def _unknown_runtime(host: Host, engine: Engine) -> Result:
    if engine.registers_itself and engine.knows_runtime(host):
        return failed(
            f'{engine.name} does not know the runtime "{RUNTIME}"',
            "its configuration names it, but was not loaded since",
            f"run `systemctl reload {engine.name}`",
        )
    return skipped(
        f'{engine.name} does not know the runtime "{RUNTIME}"',
        f"to register it, run `sudo ./install.sh --engines {engine.name}`",
    )


def _advice(host: Host, engine: Optional[Engine]) -> str:
    """Return what to do when no program says it."""
    if engine:
        return f"look at the log of {engine.name}, and report it with `kontain check --json`"
    return f"see what `{host.release}/bin/km {host.release}/share/{HELLO}` says"
