# SPDX-License-Identifier: Apache-2.0
"""The registration wanted of an engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import List, Mapping, Optional

from ..errors import HostError


@dataclass(frozen=True)
class Registration:
    """How the runtime shall be registered.

    `path` is its program (default: krun below the prefix); `config` the configuration file of
    docker or containerd (default: that of the daemon that runs, or the usual one); `replace` allows
    to take the name from another runtime; `restart` to restart containerd, which loads nothing else;
    `builds` is for docker: its BuildKit shall run the steps of builds by it, too.
    """

    path: Optional[str] = None
    config: Optional[str] = None
    replace: bool = False
    restart: bool = False
    builds: bool = False

    @property
    def program(self) -> str:
        """Return the runtime's program, which has been decided by now."""
        if self.path is None:
            raise ValueError(self.path)
        return self.path

    def free_names(
        self, names: List[str], taken: Mapping[str, Optional[str]], where: str
    ) -> List[str]:
        """Return those of the names that may be registered; `taken` are the runtimes of `where`.

        The first name is a must: another runtime of that name is an error unless `replace`. Further
        names that are taken are left out.
        """
        wanted = []
        for name in names:
            if self.replace or taken.get(name, self.program) == self.program:
                wanted.append(name)
            elif name == names[0]:
                raise HostError(
                    f"cannot register the runtime {name} in {where}",
                    f"it already has a runtime {name!r} with path {taken[name]!r}, "
                    f"wanted {self.program!r}",
                    "remove that entry, or let this one take its name until it is unregistered "
                    "(--replace; by Ansible, replace: true)",
                )
        return wanted
