# SPDX-License-Identifier: Apache-2.0
"""CRI-O, as a check sees it: the files that it reads."""

from __future__ import annotations

from typing import List

from ..host import Host
from .containerd import last_strings
from .engine import RUNTIME, Engine, files_in

CONFIG = "/etc/crio/crio.conf"
FOLDER = "/etc/crio/crio.conf.d"
SOCKET = "/run/crio/crio.sock"
TABLE = ("crio", "runtime", "runtimes")


class Crio(Engine):
    """CRI-O, which Kubernetes asks for containers by the CRI."""

    name = program = "crio"
    label = "CRI-O"
    socket = SOCKET
    oldest, reason = (1, 18), "it reads files below crio.conf.d"
    configurations = (CONFIG,)
    folders = (FOLDER,)

    def programs(self, host: Host) -> List[str]:
        """Return the program of the runtime."""
        texts = [host.read_or(path) for path in files(host)]
        return last_strings(texts, (*TABLE, RUNTIME, "runtime_path"))


CRIO = Crio()


def files(host: Host) -> List[str]:
    """Return the files that it reads, in their order; the first need not be there."""
    return [CONFIG, *files_in(host, FOLDER)]
