# SPDX-License-Identifier: Apache-2.0
"""The containers that exist, as the backends write them down below a root directory.

crun keeps `<root>/<ID>/status` and runc `<root>/<ID>/state.json`. Of both only what has been there
for years is read: the process and the bundle. krun keeps no state of its own that could disagree.
"""

from __future__ import annotations

import posix
from _stat import S_ISREG

from krun.errors import KrunError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ROOT = "/run/krun"
_ID_CHARACTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_+-.")
_WHOLE_UID_MAP = ["0", "0", "4294967295"]


class Container:
    """One container that exists."""

    def __init__(self, folder: str, backend: str) -> None:
        """Keep the FOLDER of its state and the name of its BACKEND."""
        self.folder = folder
        self.backend = backend

    def load(self) -> tuple[int, str]:
        """Return the process ID, on the host, of its first process, and the path of its bundle."""
        from krun import document  # noqa: PLC0415 - most verbs need no document

        name, pid_name = _STATE_FILES[self.backend]
        try:
            doc = document.load(f"{self.folder}/{name}")
        except OSError as reason:
            raise KrunError(
                f"cannot read the state of the container in {self.folder}: {reason.strerror}",
                "look whether the container still exists, with `krun list`",
            ) from None
        pid = document.member(doc, pid_name, int) or 0
        if self.backend == "crun":
            return pid, document.member(doc, "bundle", str) or ""
        labels = document.strings(document.member(doc, "config", dict) or {}, "labels")
        bundles = (label[len("bundle=") :] for label in labels if label.startswith("bundle="))
        return pid, next(bundles, "")

    def config(self) -> dict[str, Any]:
        """Return the configuration that the container was created with, empty if it is gone."""
        from krun import document  # noqa: PLC0415 - likewise

        path = f"{self.load()[1]}/config.json" if self.backend == "runc" else ""
        try:
            return document.load(path or f"{self.folder}/config.json")
        except OSError:
            return {}

    def created(self) -> float:
        """Return when the backend says it made the container, in seconds since the epoch."""
        import calendar  # noqa: PLC0415 - people ask, engines never
        import time  # noqa: PLC0415 - likewise

        from krun import document  # noqa: PLC0415 - likewise

        doc = document.load(f"{self.folder}/{_STATE_FILES[self.backend][0]}")
        text = document.member(doc, "created", str) or ""
        whole, _, fraction = text.rstrip("Z").partition(".")
        seconds = calendar.timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S"))
        return seconds + float(f"0.{fraction or 0}")


_STATE_FILES = {"crun": ("status", "pid"), "runc": ("state.json", "init_process_pid")}


def root() -> str:
    """Return the directory of krun's containers where the caller names none with --root."""
    if posix.geteuid() == 0 and has_all_users():
        return ROOT
    own = posix.environ.get(b"XDG_RUNTIME_DIR", b"").decode(errors="surrogateescape")
    if not own.startswith("/"):
        raise KrunError(
            "there is no place for the state of containers: this user is not root and "
            "XDG_RUNTIME_DIR is not set",
            "log in through a session, or give a directory with --root",
        )
    return f"{own}/krun"


def has_all_users() -> bool:
    """Say whether this process is in no user namespace but the host's."""
    fd = posix.open("/proc/self/uid_map", posix.O_RDONLY | posix.O_CLOEXEC)
    uid_map = posix.read(fd, 4096).decode().split()
    posix.close(fd)
    return uid_map == _WHOLE_UID_MAP


def shadow_path(root: str, container_id: str) -> str:
    """Return where krun's own folder of a container below ROOT is: runc sees it as the bundle.

    It is beside ROOT, not in it, for runc takes every folder there for a container.
    """
    return f"{root.rstrip('/')}.bundles/{container_id}"


def check_id(container_id: str) -> None:
    """Refuse an ID that is no plain file name; runc's rule, for both backends."""
    if container_id in ("", ".", "..") or not _ID_CHARACTERS.issuperset(container_id):
        raise KrunError(
            f'invalid container ID format: "{container_id}"',
            "use letters, digits, and the characters _ + - . only",
        )


def find(folder: str, container_id: str) -> Container | None:
    """Return the container with this ID below the root FOLDER, None where none is."""
    if not container_id or not _ID_CHARACTERS.issuperset(container_id):
        return None
    return _in(f"{folder}/{container_id}")


def check_all(folder: str) -> None:
    """Refuse a state below the root FOLDER for which a backend that lists all would wait for ever."""
    try:
        names = posix.listdir(folder)
    except OSError:
        return  # the backend says what is wrong, if anything is
    for name in names:
        _in(f"{folder}/{name}")


def _in(own: str) -> Container | None:
    """Return the container whose state is in the folder OWN, None where none is."""
    for backend, (name, _) in _STATE_FILES.items():
        try:
            mode = posix.lstat(f"{own}/{name}").st_mode
        except OSError:
            continue
        container = Container(own, backend)
        if not S_ISREG(mode):
            container.load()  # refuses all but a link to a regular file
        return container
    return None


def get(folder: str, container_id: str) -> Container:
    """Return the container with this ID below the root FOLDER, or say in runc's words that none is."""
    container = find(folder, container_id)
    if container is None:
        raise KrunError(
            f"container does not exist: {container_id}", "look at the list: `krun list`"
        )
    return container


def exists(path: str) -> bool:
    """Say whether there is anything at PATH."""
    try:
        posix.lstat(path)
    except OSError:
        return False
    return True
