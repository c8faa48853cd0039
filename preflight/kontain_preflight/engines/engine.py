# SPDX-License-Identifier: Apache-2.0
"""The base of all container engines: the questions that checks and registrations ask."""

from __future__ import annotations

import contextlib
import re
from typing import Any, Callable, Dict, List, Optional, Tuple

from ..host import Host
from ..programs import Output
from ..results import Result, failed, passed

RUNTIME = "kontain"
"""The name that engines know krun by."""

_VERSION = re.compile(r"\bv?(\d+)\.(\d+)(?:\.\d+)?")


class Engine:
    """A container engine; each is a class of its own in the file of its name.

    What is named here without being done stands for an engine that has nothing of the kind.
    """

    name = ""  # as users and options say it
    label = ""  # as it writes itself
    program = ""  # that is there exactly when the engine is, whatever its clients
    client = ""  # by which a container is run, "" where there is none that every host has
    socket = ""  # "" for an engine that has no daemon
    oldest: Tuple[int, int] = (0, 0)
    reason = ""  # why it must be that new
    needs_root = True  # to be asked for a container
    registers_itself = True  # it knows the runtime by name, and need not be told the program
    loads_images = False  # its client has the verb `load`
    configurations: Tuple[str, ...] = ()  # files
    folders: Tuple[str, ...] = ()  # of drop-in files
    mark = ""  # a file that it makes in each container

    def is_present(self, host: Host) -> bool:
        """Return whether the host has the engine itself."""
        return bool(host.which(self.program))

    # ---- its version ----

    def version_text(self, host: Host) -> str:
        """Return what its program says to `--version`, "" where there is none."""
        program = host.which(self.program)
        return host.run(program, "--version").stdout if program else ""

    def quick_program(self, host: Host) -> str:
        """Return the program that tells the version soonest, "" where there is none."""
        return host.which(self.program)

    def daemon_version(self, host: Host) -> str:
        """Return the version of a daemon that runs, where it may differ from its programs'."""
        del host
        return ""

    def socket_path(self) -> str:
        """Return the path of its socket, which the caller's environment may name."""
        return self.socket

    def describe(self, host: Host) -> Optional[Dict[str, Any]]:
        """Return its `program`, `version` and whether it is `running`; None without it."""
        program = host.which(self.program)
        if not program:
            return None
        details: Dict[str, Any] = {"program": program, "version": ""}
        if self.socket:
            details["running"] = host.listens(self.socket_path())
            details["version"] = self.daemon_version(host) if details["running"] else ""
        details["version"] = details["version"] or program_version(host, self.quick_program(host))
        return details

    # ---- its configuration ----

    def programs(self, host: Host) -> List[str]:
        """Return the programs that its configuration has for our runtime; none where it has none.

        Raises PermissionError, and ValueError, with a text that says where, for a file that the
        engine could not read either.
        """
        raise NotImplementedError

    def knows_runtime(self, host: Host) -> bool:
        """Return whether its configuration has our runtime, as far as that can be read."""
        with contextlib.suppress(OSError, ValueError):
            return bool(self.programs(host))
        return False

    # ---- checks of its own ----

    def checks(self) -> Tuple[Tuple[str, Callable[[Host], Result]], ...]:
        """Return id and function of the checks that only this engine has."""
        return ()

    def misuse(self, host: Host) -> Optional[Result]:
        """Return what is wrong with containers that run by a runtime that is registered well."""
        del host
        return None

    # ---- a container ----

    def run(self, host: Host) -> Output:
        """Run the hello payload as a container, and leave nothing behind."""
        raise NotImplementedError


def version_in(text: str) -> Optional[Tuple[int, int]]:
    """Return the first two numbers of the version in a text, None where it has none."""
    found = _VERSION.search(text)
    return (int(found[1]), int(found[2])) if found else None


def program_version(host: Host, program: str) -> str:
    """Return the version that `PROGRAM --version` prints, "" when it prints none."""
    found = _VERSION.search(host.run(program, "--version").stdout)
    return found[0].lstrip("v") if found else ""


def files_in(host: Host, folder: str, ending: str = "") -> List[str]:
    """Return the paths of the files in a folder that end so, in their order."""
    return [f"{folder}/{name}" for name in host.names(folder) if name.endswith(ending)]


def judge_name(host: Host, file: str, paths: List[str]) -> Result:
    """Return whether a configuration gives the runtime's name to our program, or to nothing."""
    wanted = f"{host.prefix}/bin/krun"
    others = [path for path in paths if path != wanted]
    if not others:
        return passed(f'the runtime "{RUNTIME}" is {"registered" if paths else "free"}')
    return failed(
        f'{file} has a runtime "{RUNTIME}" with path {others[0]}, wanted {wanted}',
        "the name can mean one program only",
        f'remove the runtime "{RUNTIME}" from {file}, or let `kontain register --replace` take the '
        "name; an uninstallation gives it back",
        path=others[0],
    )
