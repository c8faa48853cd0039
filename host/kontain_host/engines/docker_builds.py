# SPDX-License-Identifier: Apache-2.0
"""Let docker's BuildKit run the RUN steps of builds by the runtime.

dockerd reads a variable of its environment at its start (moby pull request 47563, in 25.0.5 and
newer), which its service manager gives it, at the operator's request.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Optional

from .. import looks, processes
from ..changes import Change, Edit, File
from ..errors import HOST_REFUSED, HostError
from ..files import read_state, same
from ..host import Host
from ..journal import Entry, Journal
from ..report import Report
from .toml_file import read_text

VARIABLE = "DOCKER_BUILDKIT_RUNC_COMMAND"
DROP_IN = "/etc/systemd/system/docker.service.d/kontain-builds.conf"

_DEFAULTS = {"/etc/init.d/docker": "/etc/default/docker", "/sbin/openrc-run": "/etc/conf.d/docker"}
_UNITS = ("/etc/systemd/system", "/run/systemd/system", "/usr/lib/systemd/system")
_OLDEST = (25, 0)
_SET = re.compile(rf"""^[^#\n]*\b{VARIABLE}=["']?([^\s"']+)""", re.MULTILINE)


@dataclass(frozen=True)
class BuildsDropIn(File):
    """A drop-in file of docker's unit."""

    kind: ClassVar[str] = "docker-builds"

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take the file back, and say which dockerd has the variable until its next start."""
        left = super().undo(host, journal, entry)
        _warn_of_running(host)
        return left


@dataclass(frozen=True)
class ShellLine(Edit):
    """A line at the end of a file that a shell reads; all else in it stays as it is."""

    kind: ClassVar[str] = "shell-line"

    line: str = ""

    def params(self) -> Dict[str, Any]:
        """Return the line."""
        return {"line": self.line}

    def edited(self, host: Host) -> bytes:
        """Return the file with the line."""
        text = read_text(host, self.path)
        if self.line in text.splitlines():
            return text.encode()
        gap = "" if not text or text.endswith("\n") else "\n"
        return f"{text}{gap}{self.line}\n".encode()

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Take the line back, and say which dockerd has the variable until its next start."""
        standing = not same(read_state(host.path(entry.path)), entry.before)
        left = super().undo(host, journal, entry)
        if standing and left is None:
            _warn_of_running(host)
        return left

    @classmethod
    def without(cls, host: Host, entry: Entry, before: Optional[bytes]) -> Optional[bytes]:
        """Return the file without the line."""
        lines = read_text(host, entry.path).splitlines(keepends=True)
        left = [line for line in lines if line.rstrip("\r\n") != entry.params["line"]]
        return "".join(left).encode() if left or before is not None else None


def _warn_of_running(host: Host) -> None:
    """Warn of each dockerd that still builds by a program below the prefix."""
    for pid in processes.all_ids():
        is_dockerd = (processes.program(pid) or "").endswith("/dockerd")
        value = processes.environment(pid).get(VARIABLE, "") if is_dockerd else ""
        if value.startswith(f"{host.prefix}/"):
            host.warnings.append(
                f"docker (process {pid}) builds by {value} until its next start, and cannot build "
                "when that is gone: restart it first"
            )


def plan(host: Host, program: str, report: Report, *, replace: bool) -> List[Change]:
    """Return the change by which the next dockerd builds by the program; nothing is restarted."""
    _require_version(host)
    setting = f"{VARIABLE}={program}"
    reason = "BuildKit runs the steps of builds in VMs"
    is_systemd = host.path("/run/systemd/system").is_dir()
    change: Change
    if is_systemd:
        text = f"# Made by Kontain; `kontain why` says more about this file.\n[Service]\nEnvironment={setting}\n"
        change = BuildsDropIn(DROP_IN, "docker", reason, text.encode())
    else:
        path = host.resolve(_defaults_file(host))
        change = ShellLine(path, "docker", reason, f"export {setting}")
    if not replace:
        _refuse_another(host, change.path, program)
    if change.is_pending(host):
        command = "systemctl daemon-reload && systemctl restart" if is_systemd else "service"
        verb = "docker" if is_systemd else "docker restart"
        report.warnings.append(
            f"docker builds in VMs after its next start: `{command} {verb}`, which ends "
            "containers unless live-restore is set"
        )
    return [change]


def _defaults_file(host: Host) -> str:
    for manager, path in _DEFAULTS.items():
        if host.path(manager).exists():
            return path
    raise HostError(
        "cannot let docker build in VMs",
        "nothing was found that starts dockerd: neither systemd, nor /etc/init.d/docker, nor OpenRC",
        f"start dockerd with {VARIABLE}=/opt/kontain/bin/krun in its environment",
        HOST_REFUSED,
    )


def _require_version(host: Host) -> None:
    engine = looks.docker.DOCKER
    answer = engine.version_text(host)
    version = looks.engines.version_in(answer)
    if version is not None and version >= _OLDEST:
        return
    found = (
        f"`{engine.program} --version` says {answer.strip()!r}"
        if engine.is_present(host)
        else f"there is no {engine.program}"
    )
    raise HostError(
        "cannot let docker build in VMs",
        f"{found}, wanted {_OLDEST[0]}.{_OLDEST[1]}.5 or newer, whose BuildKit can be given a runtime",
        "upgrade docker; or build with podman: `podman build --runtime /opt/kontain/bin/krun`",
        HOST_REFUSED,
    )


def _refuse_another(host: Host, own: str, program: str) -> None:
    """Raise HostError where a file sets the variable to another program."""
    paths = list(_DEFAULTS.values())
    for unit in _UNITS:
        names = sorted(
            place.name for place in host.path(f"{unit}/docker.service.d").glob("*.conf")
        )
        paths += [f"{unit}/docker.service.d/{name}" for name in names]
        paths.append(f"{unit}/docker.service")
    for path in paths:
        text = read_text(host, path) if path != own or path in _DEFAULTS.values() else ""
        others = [one for one in _SET.findall(text) if one != program]
        if others:
            raise HostError(
                "cannot let docker build in VMs",
                f"{path} sets {VARIABLE} to {others[0]}, wanted {program}",
                "remove that line, or let this one come after it (--replace)",
            )
