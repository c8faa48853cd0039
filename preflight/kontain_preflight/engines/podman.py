# SPDX-License-Identifier: Apache-2.0
"""podman, as a check sees it: its files in the order that it reads them, and a container of its own."""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any, Callable, Dict, List, Tuple

from ..host import HELLO, Host
from ..programs import Output
from ..results import Result, warned
from .engine import RUNTIME, Engine, files_in, judge_name, version_in

CONFIGS = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
FOLDERS = ("/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d")

_CAP_SYS_RESOURCE = 24  # <linux/capability.h>
_LOW_LIMIT = 1000  # no host allows less
_POLL_S, _LOOKS = 0.02, 3


class Podman(Engine):
    """podman, which has no daemon, and reads its files at each call."""

    name = label = program = client = "podman"
    oldest, reason = (2, 0), "it reads containers.conf"
    loads_images = True
    configurations = CONFIGS
    folders = FOLDERS
    mark = "/run/.containerenv"

    def programs(self, host: Host) -> List[str]:
        """Return the candidates for the runtime's program."""
        return runtimes(host).get(RUNTIME, [])

    def checks(self) -> Tuple[Tuple[str, Callable[[Host], Result]], ...]:
        """Return the check of containers.conf."""
        return (("podman-config", check_config),)

    def run(self, host: Host) -> Output:
        """Run the payload in storage and state that are in a folder of their own."""
        from .. import containers  # noqa: PLC0415  # 20 ms that only proofs need pay

        with containers.workplace(host) as place:
            private = ["--root", f"{place}/storage", "--runroot", f"{place}/run"]
            private += ["--tmpdir", f"{place}/state", "--storage-driver", "vfs"]
            private += [network_option(host), f"{place}/networks"]
            options = ["--rm", "--network", "none", "--log-driver", "none", *_low_limits(host)]
            podman = [host.which(self.program), *private, "--runtime", RUNTIME]
            payload = ["--rootfs", f"{place}/rootfs", f"/{HELLO}"]
            try:
                words = [*podman, "run", *options, *payload]
                return host.run(*words, limit_s=containers.RUN_LIMIT_S)
            except BaseException:  # podman was ended, but the container is no child of it
                words = [*podman, "rm", "--force", "--all"]
                host.run(*words, limit_s=containers.CLEANUP_LIMIT_S)
                raise
            finally:
                _await_cleanup(str(place), containers.CLEANUP_LIMIT_S)


PODMAN = Podman()


def files(host: Host) -> List[str]:
    """Return the files of podman that are there, in the order in which it reads them: containers.conf(5)."""
    paths = [path for path in CONFIGS if host.exists(path)]
    return paths + [path for folder in FOLDERS for path in files_in(host, folder, ".conf")]


def runtimes(host: Host) -> Dict[str, List[str]]:
    """Return the candidate paths of the runtimes by name; the last file that has a name counts.

    Raises ValueError, with the file's name and the line, for one that is no TOML.
    """
    from ..toml_text import Document  # noqa: PLC0415  # hosts without podman's files need not pay

    found: Dict[str, List[str]] = {}
    for path in files(host):
        try:
            engine: Any = Document(host.read_or(path)).tree().get("engine")
        except ValueError as error:
            raise ValueError(f"{path}: {error}") from None
        table = engine.get("runtimes") if isinstance(engine, dict) else None
        for name, candidates in (table if isinstance(table, dict) else {}).items():
            listed = candidates if isinstance(candidates, list) else [candidates]
            found[name] = [str(one) for one in listed]
    return found


def check_config(host: Host) -> Result:
    """The containers.conf of podman gives the name of Kontain's runtime to nothing else."""
    try:
        return judge_name(host, "containers.conf", PODMAN.programs(host))
    except ValueError as error:
        return warned(
            str(error),
            "podman refuses to run with such a file",
            "repair that line; `podman info` shows whether podman takes it",
        )


def network_option(host: Host) -> str:
    """Return the option that keeps podman from making files below /etc; podman 4.0 renamed it."""
    version = version_in(PODMAN.version_text(host))
    is_new = version is None or version >= (4, 0)
    return "--network-config-dir" if is_new else "--cni-config-dir"


def _low_limits(host: Host) -> List[str]:
    """Return podman's options for limits that it can set without CAP_SYS_RESOURCE.

    By default podman raises limits, beyond what it has left to itself; without that right its
    runtime fails then. To lower them needs no right.
    """
    lines = host.read_or("/proc/self/status").splitlines()
    sets = [line.split()[1] for line in lines if line.startswith("CapEff:")]
    if not sets or int(sets[0], 16) >> _CAP_SYS_RESOURCE & 1:
        return []
    limits = [f"{name}={_LOW_LIMIT}:{_LOW_LIMIT}" for name in ("nofile", "nproc")]
    return [word for limit in limits for word in ("--ulimit", limit)]


def _await_cleanup(place: str, limit_s: float) -> None:
    """Wait for conmon, and the podman that it becomes: late ones would make the folder again.

    A process that begins another program has no command line for a moment: one look is not enough.
    """
    deadline, name = time.monotonic() + limit_s, os.fsencode(place)
    unseen = 0
    while unseen < _LOOKS and time.monotonic() < deadline:
        unseen = 0 if any(name in words for words in _command_lines()) else unseen + 1
        time.sleep(_POLL_S)


def _command_lines() -> List[bytes]:
    """Return the command line of each process that this one sees."""
    found = []
    for name in os.listdir("/proc"):  # noqa: PTH208  pathlib would cost 5 ms
        with contextlib.suppress(OSError), open(f"/proc/{name}/cmdline", "rb") as file:  # noqa: PTH123  likewise
            found.append(file.read())
    return found
