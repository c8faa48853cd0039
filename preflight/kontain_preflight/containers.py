# SPDX-License-Identifier: Apache-2.0
"""A folder for a container of the hello payload, which leaves nothing behind; and krun's own."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator

from .host import HELLO, Host
from .programs import Output

RUN_LIMIT_S = 60.0  # in a virtual machine without KVM an engine takes some seconds
CLEANUP_LIMIT_S = 20.0
_REMOVALS, _PAUSE_S = 20, 0.25


def run_by_krun(host: Host) -> Output:
    """Run the payload from a bundle by `krun run`."""
    krun = f"{host.release}/bin/krun"
    with workplace(host) as place:
        (place / "config.json").write_text(json.dumps(_config()), encoding="utf-8")
        command, name = [krun, "--root", f"{place}/state"], unique_name()
        try:
            return host.run(*command, "run", "--bundle", str(place), name, limit_s=RUN_LIMIT_S)
        finally:
            if (place / "state" / name).exists():
                host.run(*command, "delete", "--force", name, limit_s=CLEANUP_LIMIT_S)


def remove_empty(place: str) -> None:
    """Remove an empty folder where it is; a control group is busy until its last process is gone."""
    folder = Path(place)
    for _ in range(_REMOVALS):
        with contextlib.suppress(OSError):
            folder.rmdir()
        if not folder.exists():
            return
        time.sleep(_PAUSE_S)


def unique_name() -> str:
    """Return a name for a container and an image that nobody else has, in small letters."""
    return f"kontain-proof-{os.urandom(8).hex()}"


def _folder_for_programs() -> str:
    """Return a folder for temporary files whose file system allows programs, as an engine's does.

    A container's own program is not run from a mount that is noexec, and /tmp may be one.
    """
    usual = tempfile.gettempdir()
    for folder in (usual, "/var/tmp", "/run"):  # noqa: S108  what is made there has a name of its own
        with contextlib.suppress(OSError):
            allowed = not os.statvfs(folder).f_flag & os.ST_NOEXEC
            if allowed and os.access(folder, os.W_OK):
                return folder
    return usual


@contextlib.contextmanager
def workplace(host: Host) -> Iterator[Path]:
    """Give a private folder with a `rootfs` that holds the payload, and remove it afterwards."""
    place = Path(tempfile.mkdtemp(prefix="kontain-proof-", dir=_folder_for_programs()))
    try:
        (place / "rootfs").mkdir()
        payload = place / "rootfs" / HELLO
        shutil.copyfile(host.place(f"{host.release}/share/{HELLO}"), payload)
        payload.chmod(0o755)
        yield place
    finally:
        _remove(host, place)


def _remove(host: Host, place: Path) -> None:
    """Remove a folder in which an engine may still be at work after its command has ended."""
    for _ in range(_REMOVALS):
        _unmount_below(host, place)
        shutil.rmtree(place, ignore_errors=True)
        if not place.exists():
            return
        time.sleep(_PAUSE_S)
    shutil.rmtree(place)  # to say what is wrong


def _unmount_below(host: Host, place: Path) -> None:
    """Take away what a killed engine has left mounted, so that nothing is removed through it."""
    for mount in reversed(host.mounts()):
        if mount.point.startswith(f"{place}/"):
            subprocess.run(
                ["umount", "--lazy", mount.point], check=False, stderr=subprocess.DEVNULL
            )


def _config() -> Dict[str, Any]:
    """Return a small config.json(OCI runtime specification) that runs the payload, without any right."""
    return {
        "ociVersion": "1.0.2",
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": [f"/{HELLO}"],
            "env": ["PATH=/"],
            "cwd": "/",
            "noNewPrivileges": True,
        },
        "root": {"path": "rootfs", "readonly": False},
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {
                "destination": "/dev",
                "type": "tmpfs",
                "source": "tmpfs",
                "options": ["nosuid", "strictatime", "mode=755", "size=65536k"],
            },
        ],
        "linux": {
            "namespaces": [{"type": kind} for kind in ("pid", "ipc", "uts", "mount", "network")]
        },
    }
