# SPDX-License-Identifier: Apache-2.0
"""Find the dockerd of a configuration file, ask it, and let it read its configuration again.

dockerd itself is asked over its socket, never the command `docker`, which may be podman's.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Mapping, Optional, Tuple

from .. import looks, processes
from ..errors import HostError
from ..host import Host

_ROOTLESS = "ROOTLESSKIT_STATE_DIR"  # by which dockerd itself knows that it runs rootless
_UNIX = "unix://"
_POLL_S = 0.05

STOCK_RUNTIME = "runc"  # what dockerd has when nothing is configured
SHIM_RUNTIMES = "io.containerd."  # what the names of containerd's shims begin with


@dataclass(frozen=True)
class Dockerd:
    """A dockerd that runs: its process, its configuration file, and the path of its socket.

    The socket is "" where it listens at none of the kind unix. `patience_s` is how many seconds it
    has to load a configuration.
    """

    pid: int
    config: str
    socket: str
    patience_s: float = 20.0

    def info(self) -> Dict[str, Any]:
        """Return what it says of itself: the API's /info."""
        found: Dict[str, Any] = self._get("/info")
        return found

    def runtimes(self) -> Dict[str, str]:
        """Return name → path of the runtimes that it knows now; a shim has the path ""."""
        return runtimes_of(self.info())

    def options(self) -> List[str]:
        """Return the names of the long options that it was started with."""
        words = processes.command_line(self.pid)[1:]
        return [word[2:].partition("=")[0] for word in words if word.startswith("--")]

    def containers_of(self, wanted: Callable[[str], bool], *, ended: bool = False) -> List[str]:
        """Return the names of the containers that run, or pause, by a runtime that is `wanted`.

        With `ended`, also of those that do not run.
        """
        names = []
        for container in self._get(f"/containers/json?all={int(ended)}"):
            details = self._get(f"/containers/{container['Id']}/json")
            if details and wanted(details["HostConfig"].get("Runtime", "")):
                names.append(details["Name"].lstrip("/"))
        return names

    def reload(self, expected: Mapping[str, Optional[str]]) -> None:
        """Let it read its configuration, and wait until each runtime has the path `expected`.

        None means: is unknown to it. The signal returns before dockerd has read the file (moby
        issue 47353), hence the wait. The same signal is what `systemctl reload docker` sends.
        Raises HostError, too, when it lost a runtime of others by that, or ended.
        """
        before = self.runtimes()
        os.kill(self.pid, signal.SIGHUP)
        deadline = time.monotonic() + self.patience_s
        while True:
            found = self.runtimes()
            if all(found.get(name) == path for name, path in expected.items()):
                break
            if time.monotonic() > deadline:
                raise self._not_loaded(expected, found)
            time.sleep(_POLL_S)
        lost = sorted(name for name in others(before) if name not in {*found, *expected})
        if lost:
            raise HostError(
                "docker lost runtimes when it loaded its configuration",
                f"dockerd (process {self.pid}) does not know {', '.join(lost)} any more, which "
                f"{self.config} does not have",
                f"add them to {self.config}, or restart docker",
            )

    def _not_loaded(
        self, expected: Mapping[str, Optional[str]], found: Mapping[str, str]
    ) -> HostError:
        seen = {name: found.get(name) for name in expected}
        return HostError(
            "docker does not load its configuration",
            f"{self.patience_s} s after SIGHUP its runtimes are {seen}, wanted {dict(expected)}",
            f"look at the log of dockerd (process {self.pid}), for example with "
            "`journalctl -u docker -n 20`",
        )

    def _get(self, path: str) -> Any:
        try:
            status, content = looks.unix_http.request(self.socket, path)
        except OSError as error:
            raise self._silent(error) from None
        if status == looks.unix_http.NOT_FOUND:
            return None  # a container that has gone meanwhile
        if status != looks.unix_http.OK:
            raise self._silent(f"{path} gave the status {status}")
        return json.loads(content)

    def _silent(self, why: object) -> HostError:
        if not _is_dockerd(self.pid):
            return HostError(
                "docker ended",
                f"its dockerd (process {self.pid}, configuration {self.config}) runs no more",
                "look at its log, for example with `journalctl -u docker -n 20`, and start docker",
            )
        return HostError(
            "cannot ask docker",
            f"dockerd (process {self.pid}) gives no answer at {self.socket} ({why})",
            "restart or stop docker, then run this again",
        )


def runtimes_of(info: Mapping[str, Any]) -> Dict[str, str]:
    """Return name → path of the runtimes in the API's /info."""
    return {name: value.get("path", "") for name, value in (info.get("Runtimes") or {}).items()}


def others(runtimes: Mapping[str, str]) -> List[str]:
    """Return the names of the runtimes that are none of dockerd's own."""
    return [
        name for name in runtimes if name != STOCK_RUNTIME and not name.startswith(SHIM_RUNTIMES)
    ]


def readers(host: Host, config: str) -> List[Dockerd]:
    """Return the dockerds that read the configuration at the host path `config`."""
    own = str(host.path(config))
    return [one for one in _running() if processes.same_place(one.pid, one.config, own)]


def find_config(host: Host) -> str:
    """Return the host path of docker's configuration: that of its daemon, or the usual one.

    docker's daemon is the one at the usual socket, which the command `docker` asks; where none runs,
    its unit says what it will read. An ordinary user's is their own, which runs rootless.
    """
    usual, sockets = _defaults(host.environment)
    for daemon in _running():
        is_here = processes.same_place(daemon.pid, "/", host.root)
        if is_here and daemon.socket in sockets:
            return daemon.config
    return usual if host.environment else _config_of_unit(host) or usual


def _config_of_unit(host: Host) -> Optional[str]:
    """Return the configuration that the unit of docker names, drop-in files included, or None."""
    if not host.which("systemctl"):
        return None
    answer = host.run("systemctl", "show", "--property=ExecStart", "docker.service")
    found = re.search(r"\s--config-file[= ](/[^\s;]+)", answer.stdout)
    return found[1] if found else None


def _running() -> Iterator[Dockerd]:
    """Yield the daemons of this user that this process sees: root trusts no other's."""
    for pid in processes.all_ids():
        if not _is_dockerd(pid):
            continue
        with contextlib.suppress(FileNotFoundError):
            if os.stat(f"/proc/{pid}").st_uid == os.geteuid():  # noqa: PTH116
                yield _describe(pid)


def _is_dockerd(pid: int) -> bool:
    """Judge by the program; dockerd also runs itself under other names, for example to unpack."""
    program = processes.program(pid) or ""
    arguments = processes.command_line(pid)
    is_program = program.replace(" (deleted)", "").endswith("/dockerd")
    return is_program and bool(arguments) and arguments[0].rpartition("/")[2] == "dockerd"


def _describe(pid: int) -> Dockerd:
    arguments, environment = processes.command_line(pid), processes.environment(pid)
    default_config, default_sockets = _defaults(environment if _ROOTLESS in environment else {})
    configs = _option(arguments, "--config-file")
    config = processes.absolute(pid, configs[-1]) if configs else default_config
    hosts = [
        *_option(arguments, "-H"),
        *_option(arguments, "--host"),
        *_configured_hosts(pid, config),
    ]
    sockets = [address[len(_UNIX) :] for address in hosts if address.startswith(_UNIX)]
    if sockets:
        return Dockerd(pid, config, sockets[0])
    elsewhere = bool(hosts) and not any(address.startswith("fd:") for address in hosts)
    return Dockerd(pid, config, "" if elsewhere else default_sockets[0])


def _defaults(environment: Mapping[str, str]) -> Tuple[str, Tuple[str, ...]]:
    """Return configuration and sockets of a rootless docker with this environment; {}: of root's.

    Source: moby, cmd/dockerd/config_unix.go and pkg/homedir.
    """
    if not environment:
        return looks.docker.CONFIG, looks.docker.SOCKETS
    home = environment.get("HOME", "")
    folder = environment.get("XDG_CONFIG_HOME") or f"{home}/.config"
    runtime = environment.get("XDG_RUNTIME_DIR") or f"/run/user/{os.geteuid()}"
    return f"{folder}/docker/daemon.json", (f"{runtime}/docker.sock",)


def _option(arguments: List[str], name: str) -> List[str]:
    """Return the values of an option: `--name value`, `--name=value`; of a letter also `-Nvalue`."""
    found = []
    for argument, following in zip(arguments, [*arguments[1:], ""]):
        if argument == name:
            found.append(following)
        elif argument.startswith(f"{name}="):
            found.append(argument[len(name) + 1 :])
        elif argument.startswith(name) and not name.startswith("--"):
            found.append(argument[len(name) :])
    return found


def _configured_hosts(pid: int, config: str) -> List[str]:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        hosts = json.loads(Path(f"/proc/{pid}/root{config}").read_text()).get("hosts", [])
        return [address for address in hosts if isinstance(address, str)]
    return []
