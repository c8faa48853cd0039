# SPDX-License-Identifier: Apache-2.0
"""A release's tree as one change: it appears whole by one rename, and goes file by file."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Dict, List, Optional

from .bundle import Bundle
from .changes import Change
from .errors import HOST_REFUSED, HostError
from .files import State, read_state, sync_directory
from .host import Host
from .journal import Entry, Journal
from .looks import manifest

_SPARE = 1.25  # bytecode, and the rounding of file systems


@dataclass(frozen=True)
class Tree(Change):
    """The tree of a release in its own new directory."""

    kind: ClassVar[str] = "tree"

    bundle: Optional[Bundle] = None

    @classmethod
    def look(cls, host: Host, path: str, params: Dict[str, Any]) -> State:
        """Return what is there: a tree that is whole has the type "tree" and its `manifest`."""
        del params
        return tree_state(host.path(path))

    def after(self, host: Host) -> State:
        """Return the state of the tree that will be."""
        del host
        return {"type": "tree", "manifest": self._bundle.digest}

    @property
    def _bundle(self) -> Bundle:
        if self.bundle is None:
            raise ValueError(self.path)
        return self.bundle

    def before_content(self, host: Host) -> Optional[bytes]:
        """Return the manifest, by which the tree is taken back even if its own copy is lost."""
        del host
        return self._bundle.manifest

    def params(self) -> Dict[str, Any]:
        """Return the version of the release."""
        return {"version": self._bundle.version}

    def apply(self, host: Host, entry: Entry) -> None:
        """Unpack next to the place, compile the Python, and rename."""
        place = host.path(self.path)
        draft = place.parent / entry.temporary
        try:
            _require_space(place.parent, self._bundle)
            self._bundle.unpack(draft)
            _require_running(host, draft / "bin/km")
            _compile(host, draft, self.path)
            draft.rename(place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        sync_directory(place.parent)
        restore_context(host, self.path)

    def text(self, host: Host) -> str:
        """Return the version and the files."""
        del host
        return "\n".join([f"version {self._bundle.version}", *self._bundle.names, ""])

    def text_now(self, host: Host) -> str:
        """Return nothing: a tree never takes the place of another."""
        del host
        return ""

    @classmethod
    def undo(cls, host: Host, journal: Journal, entry: Entry) -> Optional[str]:
        """Remove the release's files; files that others put or changed there stay."""
        place = host.path(entry.path)
        if not place.is_dir():
            return None
        listed = manifest.parse(journal.kept(str(entry.id)))
        changed, foreign = manifest.differences(place, listed)
        kept = [path for path in changed if os.path.lexists(place / path)] + foreign
        if not kept and _set_aside(place, place.parent / entry.temporary):
            cls.clean(host, entry)
            return None
        _remove_listed(place, [path for path in listed if path not in kept])
        return f"another user or program changed or added {', '.join(kept[:3])}" if kept else None

    @classmethod
    def clean(cls, host: Host, entry: Entry) -> None:
        """Remove a tree that is being unpacked or removed."""
        shutil.rmtree(host.path(entry.path).parent / entry.temporary, ignore_errors=True)


def tree_state(place: Path) -> State:
    """Return the state of a release's directory; one that is damaged is an ordinary directory."""
    state = read_state(place)
    if state["type"] != "directory":
        return state
    with contextlib.suppress(OSError, ValueError):
        listed = manifest.parse((place / manifest.NAME).read_bytes())
        wrong, _ = manifest.differences(place, listed)
        if not wrong:
            return {"type": "tree", "manifest": manifest.file_digest(place / manifest.NAME)}
    return state


def restore_context(host: Host, path: str) -> None:
    """Give files the SELinux context that the host's policy has for them, where it has one."""
    if host.path("/sys/fs/selinux/enforce").exists() and host.which("restorecon"):
        host.run("restorecon", "-R", "-F", str(host.path(path)))


def _require_space(folder: Path, bundle: Bundle) -> None:
    disk = os.statvfs(folder)
    free, wanted = disk.f_bavail * disk.f_frsize, int(bundle.size * _SPARE)
    if free < wanted:
        raise HostError(
            f"cannot unpack {bundle.file.name}",
            f"{folder} has {free >> 20} MiB free, wanted {(wanted >> 20) + 1} MiB",
            "free some disk space, then run this again",
        )


def _require_running(host: Host, km: Path) -> None:
    """Refuse a release whose km runs no program on this host, in the words of its probe (km(1))."""
    if host.root != "/" or not km.exists():
        return
    ran = host.run(str(km), "--probe")
    if ran.status == 0 or not ran.stdout:  # a km from before there was a probe says nothing there
        return
    problem, fix = ran.two_lines
    raise HostError(
        "this host cannot run Kontain",
        problem or f"`km --probe` ended with status {ran.status}",
        fix or "report this with what `kontain check` says",
        HOST_REFUSED,
    )


def _compile(host: Host, draft: Path, final: str) -> None:
    """Compile the tree's Python for the host's python3, which runs the commands.

    A command also runs without bytecode, only later; so a failure is none of the installation.
    """
    python = host.which("python3")
    library = draft / "lib/python"
    if python and library.is_dir():
        command = [python, "-IS", "-m", "compileall", "-q", "-d", f"{final}/lib/python"]
        host.run(*command, str(library))


def _set_aside(place: Path, aside: Path) -> bool:
    """Rename a folder; return whether its file system can.

    An overlay cannot rename a folder of a lower layer (Linux' Documentation/filesystems/overlayfs.rst,
    "Renaming directories"). What is then removed file by file, an interrupted run goes on with.
    """
    try:
        place.rename(aside)
    except OSError as error:
        if error.errno != errno.EXDEV:
            raise
        return False
    return True


def _remove_listed(place: Path, paths: List[str]) -> None:
    for path in [*paths, manifest.NAME]:
        with contextlib.suppress(FileNotFoundError):
            (place / path).unlink()
    for folder, _, _ in os.walk(place, topdown=False):
        shutil.rmtree(Path(folder, "__pycache__"), ignore_errors=True)
        with contextlib.suppress(OSError):
            Path(folder).rmdir()
