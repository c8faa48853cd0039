# SPDX-License-Identifier: Apache-2.0
"""The proofs: the hello payload runs in a virtual machine, by km, by krun and by each engine.

The payload prints what uname(2) told it; only km's answers end in `.kontain.KVM`.
"""

from __future__ import annotations

import re
import time
from typing import Callable, Optional

from .engines import (
    CONTAINERD,
    DOCKER,
    PODMAN,
    RUNTIME,
    answers,
    containerd_runtime,
    docker_runtimes,
    podman_runtimes,
    socket_of,
)
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


def prove_podman(host: Host) -> Result:
    """Podman runs a container whose program is in a virtual machine."""
    from .containers import run_by_podman  # noqa: PLC0415  # as above

    if not host.which(PODMAN.program):
        return skipped("there is no podman")
    absence = _absence(host, as_root=True)
    return absence or _prove(
        host, run_by_podman, "podman", lambda: RUNTIME in podman_runtimes(host)
    )


def prove_docker(host: Host) -> Result:
    """Docker runs a container whose program is in a virtual machine."""
    from .containers import run_by_docker  # noqa: PLC0415  # as above

    if not host.which("docker") or not host.which(DOCKER.program):
        return skipped("there is no docker, or only its client")
    if not answers(host, socket_of(DOCKER)):
        return skipped(
            f"docker does not run, or user {host.user().name} may not use it",
            "run `systemctl start docker`, then `kontain verify`",
        )
    return _absence(host) or _prove(
        host, run_by_docker, "docker", lambda: RUNTIME in docker_runtimes(host)
    )


def prove_containerd(host: Host) -> Result:
    """Containerd, asked by ctr, runs a container whose program is in a virtual machine.

    Kubernetes' kubelet asks for the same by the CRI, which has no client that every host has.
    """
    from .containers import run_by_containerd  # noqa: PLC0415  # as above

    if not host.which(CONTAINERD.program) or not host.which("ctr"):
        return skipped("there is no containerd, or no ctr")
    absence = _absence(host, as_root=True)
    if absence:
        return absence
    if not containerd_runtime(host):
        return _unknown_runtime(CONTAINERD.name, lambda: False)
    if not answers(host, socket_of(CONTAINERD)):
        return skipped(
            "containerd does not run", "run `systemctl start containerd`, then `kontain verify`"
        )
    return _prove(host, run_by_containerd, CONTAINERD.name)


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


def _prove(
    host: Host,
    run: Callable[[Host], Output],
    engine: str = "",
    is_registered: Callable[[], bool] = lambda: False,
) -> Result:
    began = time.perf_counter()
    try:
        output = run(host)
    except OSError as error:  # among them TimeoutError
        return failed(str(error), "it did not come to its end", _advice(host, engine))
    took = (time.perf_counter() - began) * 1000
    if output.status != 0 and engine and _UNKNOWN_RUNTIME.search(output.stderr):
        return _unknown_runtime(engine, is_registered)
    lacks_parser = _PARSER in output.stderr  # docker 20.10 on a kernel that has AppArmor on
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


def _unknown_runtime(engine: str, is_registered: Callable[[], bool]) -> Result:
    if is_registered():
        return failed(
            f'{engine} does not know the runtime "{RUNTIME}"',
            "its configuration names it, but was not loaded since",
            f"run `systemctl reload {engine}`",
        )
    return skipped(
        f'{engine} does not know the runtime "{RUNTIME}"',
        f"to register it, run `sudo ./install.sh --engines {engine}`",
    )


def _advice(host: Host, engine: str) -> str:
    """Return what to do when no program says it."""
    if engine:
        return f"look at the log of {engine}, and report it with `kontain check --json`"
    return f"see what `{host.release}/bin/km {host.release}/share/{HELLO}` says"
