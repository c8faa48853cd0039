# SPDX-License-Identifier: Apache-2.0
"""Judge, before dockerd reloads its configuration, whether it would lose something.

A file is not its only source: settings of its command line a reload takes from the file alone, and
forgets where that has none (moby, daemon/reload.go; cmd/dockerd/daemon.go for the plugins). A
default runtime that is forgotten so ends dockerd (seen with 20.10.24).
"""

from __future__ import annotations

from typing import Collection

from .daemon_json import Document
from .dockerd import SHIM_RUNTIMES, STOCK_RUNTIME, Dockerd, others, runtimes_of

_FORGOTTEN = (
    "add-runtime",
    "default-runtime",
    "authorization-plugin",
    "feature",
    "max-concurrent-downloads",
    "max-concurrent-uploads",
    "max-download-attempts",
    "network-diagnostic-port",
)
_KEEPS_SHIMS = 23  # the first version whose reload keeps the runtimes that are containerd's shims


def risk(daemon: Dockerd, document: Document, ours: Collection[str]) -> str:
    """Return why dockerd must not load the document now, "" where it may.

    `ours` are the names of the runtimes that it shall learn or forget by that.
    """
    who = f"dockerd (process {daemon.pid})"
    if not daemon.socket:
        return f"{who} listens at no socket of this host, so Kontain cannot read its settings"
    options = [f"--{name}" for name in _FORGOTTEN if name in daemon.options()]
    if options:
        return f"{who} was started with {', '.join(options)}, which a reload makes it forget"
    info = daemon.info()
    lost = [
        name
        for name in others(runtimes_of(info))
        if name not in ours and document.runtime(name) is None
    ]
    if lost:
        return f"{who} has the runtimes {', '.join(sorted(lost))}, which {document.path} has not"
    default, configured = info.get("DefaultRuntime"), document.default_runtime or STOCK_RUNTIME
    if default not in (configured, *ours):
        return f"{who} has the default runtime {default}, and {document.path} {configured}"
    return _shims_in_use(daemon, info.get("ServerVersion") or "", str(default), who)


def _shims_in_use(daemon: Dockerd, version: str, default: str, who: str) -> str:
    """Return why a shim that a container was made with must stay known, "" where it may go."""
    major = version.partition(".")[0]
    if not major.isdigit() or int(major) >= _KEEPS_SHIMS:
        return ""
    users = daemon.containers_of(lambda name: name.startswith(SHIM_RUNTIMES), ended=True)
    if not users and not default.startswith(SHIM_RUNTIMES):
        return ""
    what = f"the container {users[0]}" if users else "its default"
    return f"{who} runs {what} by a shim of containerd's, which {version} forgets by a reload"
