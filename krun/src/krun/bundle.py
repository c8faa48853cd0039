# SPDX-License-Identifier: Apache-2.0
"""The caller's bundle, which is only read."""

from __future__ import annotations

import posix

from krun import document, schema
from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_FOLDER = posix.O_PATH | posix.O_DIRECTORY | posix.O_CLOEXEC


class Bundle:
    """A folder with a configuration and, usually, a root file system."""

    def __init__(self, path: str | None, config: str | None) -> None:
        """Open the bundle at PATH, by default here, and read its configuration file CONFIG."""
        path = path or "."
        try:
            self.fd = posix.open(path, _FOLDER)
        except (OSError, ValueError) as reason:
            raise KrunError(
                f"cannot open the bundle {path}: {why(reason)}",
                "give the bundle's folder with --bundle",
            ) from None
        self.path = posix.readlink(f"/proc/self/fd/{self.fd}")
        name = config or "config.json"
        try:
            doc = document.load(name, dir_fd=self.fd)
        except OSError as reason:
            raise KrunError(
                f"cannot create the container: {self.path}/{name}: {why(reason)}",
                "give the bundle's folder with --bundle, or write a config.json with `krun spec`",
            ) from None
        self.doc: dict[str, Any] = schema.known(doc, schema.CONFIG)

    def rootfs(self) -> tuple[int, str]:
        """Return a descriptor of the container's root and its absolute path on the host."""
        root = document.member(self.doc, "root", dict) or {}
        path = document.member(root, "path", str, "root.")
        if not path:
            raise KrunError(
                "the container's configuration is wrong: root.path is missing",
                "name the folder of the root file system there",
            )
        if path[:1] != "/":
            path = f"{self.path}/{path}"
        try:
            return posix.open(path, _FOLDER), path
        except (OSError, ValueError) as reason:
            raise KrunError(
                f"cannot open the root file system {path}: {why(reason)}",
                "correct root.path in config.json, or unpack the image there",
            ) from None


def why(reason: OSError | ValueError) -> str:
    """Say REASON in words that no engine takes for a missing payload."""
    if isinstance(reason, FileNotFoundError):
        return "it does not exist"
    if isinstance(reason, PermissionError):
        return "this user may not open it"
    return getattr(reason, "strerror", None) or str(reason)
