# SPDX-License-Identifier: Apache-2.0
"""The engine of `kontain` on the node itself: the same verbs as on any host, in the node's namespaces.

The image's bundle is laid out in a folder of the node's for as long as a verb runs, so that what
installs is what gets installed. The node's own Python runs it, or the bundle's where it has none.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Dict, List

from .errors import NodeError

NODE = Path("/proc/1/root")
"""The node's files, as a container with hostPID that is privileged reaches them."""
IMAGE = Path("/kontain")
"""Where the image has the bundle."""
PREFIX = "/opt/kontain"

_FOLDER = "/var/lib/kontain-node"
_ENTER = ["/usr/bin/nsenter", "--target=1", "--mount", "--uts", "--ipc", "--net", "--pid", "--"]
_PYTHON = "/usr/bin/python3"
_LIMIT_S = 600


def bundle() -> Path:
    """Return the image's bundle."""
    found = sorted(IMAGE.glob("kontain-*-x86_64.tar.gz"))
    if len(found) != 1:
        raise NodeError(
            "cannot use this image",
            f"{IMAGE} has {len(found)} bundles, wanted 1",
            "make it with `make node-image`",
        )
    return found[0]


def version() -> str:
    """Return the version that the image brings."""
    return bundle().name[len("kontain-") : -len("-x86_64.tar.gz")]


def on_node(*words: str) -> subprocess.CompletedProcess[str]:
    """Run a command in the node's namespaces."""
    environment = {
        "PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "LC_ALL": "C",
        "HOME": "/root",
    }
    return subprocess.run(
        [*_ENTER, *words],
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="replace",
        timeout=_LIMIT_S,
        check=False,
    )


class Engine:
    """The command `kontain` of a release that is at `release`, a path of the node's."""

    def __init__(self, release: str) -> None:
        """Take the release."""
        self.release = release

    def __call__(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `kontain` with WORDS on the node, and let the container's log have what it says."""
        done = on_node(*self._python(), f"{self.release}/bin/kontain", *words)
        print(f"$ kontain {' '.join(words)}\n{done.stdout}{done.stderr}", end="", flush=True)
        return done

    def _python(self) -> List[str]:
        if (NODE / _PYTHON.lstrip("/")).exists():
            return [_PYTHON, "-IS"]
        own = f"{self.release}/python"
        loader = f"{own}/lib/ld-linux-x86-64.so.2"
        return [loader, "--library-path", f"{own}/lib", f"{own}/bin/python3", "-IS"]

    def json(self, *words: str) -> Dict[str, Any]:
        """Return the JSON that a verb prints, {} where it prints none."""
        with contextlib.suppress(ValueError):
            found = json.loads(self(*words, "--json").stdout)
            return found if isinstance(found, dict) else {}
        return {}


@contextlib.contextmanager
def alone() -> Iterator[None]:
    """Wait until no other container changes this node, and let none while this one does.

    The lock is on a folder that every node has, so that no file of it stays; it ends with its process.
    """
    fd = os.open(_in(_FOLDER).parent, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


@contextlib.contextmanager
def laid_out() -> Iterator[Engine]:
    """Give the engine of the image's bundle, laid out on the node; nothing of it stays.

    The pod of the DaemonSet and a Job, or a pod and the next version's, do so one after the other.
    """
    with alone():
        folder = _in(_FOLDER)
        shutil.rmtree(folder, ignore_errors=True)  # of a run that was killed
        folder.mkdir(mode=0o700, parents=True)
        try:
            with tarfile.open(bundle()) as archive:
                archive.extractall(folder)  # noqa: S202  the image's own
            shutil.copyfile(bundle(), folder / "bundle.tar.gz")
            yield Engine(f"{_FOLDER}/kontain-{version()}/release")
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def installed() -> Engine:
    """Return the engine of the release that the node has."""
    return Engine(f"{PREFIX}/current")


def current_version() -> str:
    """Return the version that the node has, "" where it has none."""
    with contextlib.suppress(OSError):
        return (_in(f"{PREFIX}/current")).readlink().name
    return ""


def bundle_words() -> List[str]:
    """Return what says to the engine which bundle it is, and that the image vouches for it."""
    digest = hashlib.sha256(bundle().read_bytes()).hexdigest()
    return [f"{_FOLDER}/bundle.tar.gz", f"--sha256={digest}"]


def reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return the two lines by which a verb says why it failed."""
    lines = done.stderr.strip().splitlines()
    wanted = [at for at, line in enumerate(lines) if line.startswith("kontain")]
    return "\n".join(lines[wanted[-1] :] if wanted else lines[-2:])


def failures(done: subprocess.CompletedProcess[str]) -> str:
    """Return the words of the checks that failed, from what `check` or `verify --json` printed."""
    with contextlib.suppress(ValueError):
        found = [one for one in json.loads(done.stdout)["results"] if one["status"] == "fail"]
        return "\n".join(_words(one) for one in found if not one.get("ignored"))
    return reason(done)


def _words(result: Dict[str, Any]) -> str:
    why = f": {result['cause']}" if result.get("cause") else ""
    fix = f"\nTo fix: {result['fix']}." if result.get("fix") else ""
    return f"{result['check']}: {result['found']}{why}.{fix}"


def _in(path: str) -> Path:
    return NODE / path.lstrip("/")
