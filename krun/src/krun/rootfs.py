# SPDX-License-Identifier: Apache-2.0
"""A container's file tree as its processes see it, walked from the host without leaving it.

Every step opens one name below a descriptor and follows no link by itself, so neither a hostile
image nor a running container that renames directories meanwhile can lead out of the tree.
"""

from __future__ import annotations

import errno
import posix
from _stat import S_ISDIR, S_ISLNK, S_ISREG

MOST_LINKS = 40  # Linux's own limit, path_resolution(7)
_OPEN = posix.O_PATH | posix.O_NOFOLLOW | posix.O_CLOEXEC


class UnknownTreeError(Exception):
    """The path lies on a mount whose content only the running container has."""


class File:
    """A file that was reached, by a descriptor that can be looked at but not read."""

    def __init__(self, fd: int, path: str) -> None:
        """Keep FD and the canonical PATH in the container."""
        self.fd = fd
        self.path = path
        self.mode = posix.fstat(fd).st_mode

    @property
    def is_regular(self) -> bool:
        """Say whether it is a regular file."""
        return S_ISREG(self.mode)

    def head(self, size: int) -> bytes:
        """Return the first SIZE bytes of a regular file."""
        fd = posix.open(f"/proc/self/fd/{self.fd}", posix.O_RDONLY | posix.O_CLOEXEC)
        try:
            return posix.read(fd, size)
        finally:
            posix.close(fd)


class Rootfs:
    """The tree below one directory, with mounts that are not yet made.

    `mounts` has, for the canonical path of each mount's destination, a descriptor of its source, or
    None where its content is not known before the container runs. `places` has those paths for each
    mount in turn, also where a later one hides it.
    """

    def __init__(self, fd: int) -> None:
        """Begin at the directory that FD is a descriptor of."""
        self.fd = fd
        self.mounts: dict[str, int | None] = {}
        self.places: list[str] = []

    def walk(self, path: str, cwd: str = "/") -> File:
        """Return the file at PATH, relative to CWD; an OSError is the container's own."""
        place = _Place(self)
        todo = _names(path)
        if path[:1] != "/":
            todo += _names(cwd)
        links = 0
        try:
            while todo:
                target = place.step(todo.pop())
                if target is not None:
                    links += 1
                    if links > MOST_LINKS:
                        raise OSError(errno.ELOOP, "Too many levels of symbolic links")
                    todo += _names(target)
            return place.file()
        finally:
            place.close()


def _names(path: str) -> list[str]:
    """Return the names in PATH, the first one last."""
    names = path.split("/")
    if path[:1] == "/":
        names[0] = "/"
    return names[::-1]


class _Place:
    """Where a walk has come to: the directories above it, by name and descriptor."""

    def __init__(self, tree: Rootfs) -> None:
        self.tree = tree
        self.names: list[str] = []
        self.fds = [posix.dup(tree.fd)]

    def step(self, name: str) -> str | None:
        """Go to NAME; if that is a symbolic link, stay and return its target."""
        if name == "/":
            self._shorten(0)
            return None
        here = self.fds[-1]
        if name in ("", ".", ".."):
            if not S_ISDIR(posix.fstat(here).st_mode):
                raise OSError(errno.ENOTDIR, "Not a directory")
            if name == "..":
                self._shorten(max(0, len(self.names) - 1))
            return None
        fd = self._open(name)
        if S_ISLNK(posix.fstat(fd).st_mode):
            try:
                return posix.readlink("", dir_fd=fd)
            finally:
                posix.close(fd)
        self.names.append(name)
        self.fds.append(fd)
        return None

    def _open(self, name: str) -> int:
        path = "/".join(("", *self.names, name))
        if path not in self.tree.mounts:
            try:
                return posix.open(name, _OPEN, dir_fd=self.fds[-1])
            except FileNotFoundError:
                if any(mount.startswith(f"{path}/") for mount in self.tree.mounts):
                    raise UnknownTreeError(path) from None  # the backend will make it
                raise
        fd = self.tree.mounts[path]
        if fd is None:
            raise UnknownTreeError(path)
        return posix.dup(fd)

    def _shorten(self, depth: int) -> None:
        del self.names[depth:]
        for fd in self.fds[depth + 1 :]:
            posix.close(fd)
        del self.fds[depth + 1 :]

    def file(self) -> File:
        return File(posix.dup(self.fds[-1]), "/" + "/".join(self.names))

    def close(self) -> None:
        for fd in self.fds:
            posix.close(fd)
