# SPDX-License-Identifier: Apache-2.0
"""Run the hello payload as a container, and leave nothing behind in an engine or on the host."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from .check_system import version_of
from .engines import (
    CONTAINERD,
    DOCKER,
    RUNTIME,
    containerd_runtime,
    program_version,
    socket_of,
)
from .host import HELLO, Host
from .programs import Output

_CAP_SYS_RESOURCE = 24  # <linux/capability.h>
_LOW_LIMIT = 1000  # no host allows less
_RUN_LIMIT_S = 60.0  # in a virtual machine without KVM an engine takes some seconds
_CLEANUP_LIMIT_S = 20.0
_REMOVALS, _PAUSE_S = 20, 0.25
_POLL_S, _LOOKS = 0.02, 3


def run_by_krun(host: Host) -> Output:
    """Run the payload from a bundle by `krun run`."""
    krun = f"{host.release}/bin/krun"
    with _workplace(host) as place:
        (place / "config.json").write_text(json.dumps(_config()), encoding="utf-8")
        command, name = [krun, "--root", f"{place}/state"], _unique_name()
        try:
            return host.run(*command, "run", "--bundle", str(place), name, limit_s=_RUN_LIMIT_S)
        finally:
            if (place / "state" / name).exists():
                host.run(*command, "delete", "--force", name, limit_s=_CLEANUP_LIMIT_S)


def run_by_podman(host: Host) -> Output:
    """Run the payload by podman, whose storage and state are in a folder of their own."""
    with _workplace(host) as place:
        private = ["--root", f"{place}/storage", "--runroot", f"{place}/run"]
        private += ["--tmpdir", str(place / "tmp"), "--storage-driver", "vfs"]
        private += [_network_option(host), f"{place}/networks"]
        options = ["--rm", "--network", "none", "--log-driver", "none", *_low_limits(host)]
        podman = [host.which("podman"), *private, "--runtime", RUNTIME]
        payload = ["--rootfs", f"{place}/rootfs", f"/{HELLO}"]
        try:
            return host.run(*podman, "run", *options, *payload, limit_s=_RUN_LIMIT_S)
        except BaseException:  # podman was ended, but the container is no child of it
            host.run(*podman, "rm", "--force", "--all", limit_s=_CLEANUP_LIMIT_S)
            raise
        finally:
            _await_cleanup(place)


def run_by_docker(host: Host) -> Output:
    """Run the payload by docker, from an image that is made for this and removed."""
    with _workplace(host) as place:
        # A configuration of its own: the user's may point to another host.
        docker = [host.which("docker"), "--config", f"{place}/config"]
        docker += ["--host", f"unix://{socket_of(DOCKER)}"]
        name = _unique_name()
        with _archive(place) as archive:
            output = host.run(*docker, "import", "-", name, stdin=archive)
        if output.status != 0:
            return output
        options = ["--rm", "--name", name, "--network", "none", "--runtime", RUNTIME]
        try:
            return host.run(*docker, "run", *options, name, f"/{HELLO}", limit_s=_RUN_LIMIT_S)
        finally:
            for verb in ("rm", "rmi"):
                host.run(*docker, verb, "--force", name, limit_s=_CLEANUP_LIMIT_S)


def run_by_containerd(host: Host) -> Output:
    """Run the payload by containerd, in a namespace of its own, without an image."""
    with _workplace(host) as place:
        name = _unique_name()
        ctr = [host.which("ctr"), "--address", socket_of(CONTAINERD), "--namespace", name]
        options = ["--rm", "--rootfs", "--runc-binary", containerd_runtime(host)]
        try:
            return host.run(
                *ctr, "run", *options, f"{place}/rootfs", name, f"/{HELLO}", limit_s=_RUN_LIMIT_S
            )
        finally:
            for words in (
                ("tasks", "rm", "--force", name),  # what a run to its end has removed is no error
                ("containers", "rm", name),
                ("namespaces", "rm", name),
            ):
                host.run(*ctr, *words, limit_s=_CLEANUP_LIMIT_S)
            _remove_traces(host, name)


def _remove_traces(host: Host, namespace: str) -> None:
    """Remove the empty folders that containerd leaves of a namespace that is gone."""
    runc, tasks = "/run/containerd/runc", "containerd/io.containerd.runtime.v2.task"
    parents = [runc, f"/run/{tasks}", f"/var/lib/{tasks}"]
    parents += [mount.point for mount in host.mounts() if mount.kind.startswith("cgroup")]
    folders = [f"{parent}/{namespace}" for parent in parents]
    for folder in (*folders, f"{runc}/{namespace}.bundles"):
        _remove_empty(Path(host.place(folder)))


def _remove_empty(folder: Path) -> None:
    """Remove an empty folder where it is; a control group is busy until its last process is gone."""
    for _ in range(_REMOVALS):
        with contextlib.suppress(OSError):
            folder.rmdir()
        if not folder.exists():
            return
        time.sleep(_PAUSE_S)


def _unique_name() -> str:
    """Return a name for a container and an image that nobody else has; docker wants small letters."""
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
def _workplace(host: Host) -> Iterator[Path]:
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
    """Remove a folder in which podman's cleanup may still be at work after podman has ended."""
    for _ in range(_REMOVALS):
        _unmount_below(host, place)
        shutil.rmtree(place, ignore_errors=True)
        if not place.exists():
            return
        time.sleep(_PAUSE_S)
    shutil.rmtree(place)  # to say what is wrong


def _await_cleanup(place: Path) -> None:
    """Wait for conmon, and the podman that it becomes: late ones would make the folder anew.

    A process that begins another program has no command line for a moment: one look is not enough.
    """
    deadline, name = time.monotonic() + _CLEANUP_LIMIT_S, os.fsencode(place)
    unseen = 0
    while unseen < _LOOKS and time.monotonic() < deadline:
        unseen = 0 if any(name in words for words in _command_lines()) else unseen + 1
        time.sleep(_POLL_S)


def _command_lines() -> Iterator[bytes]:
    """Yield the command line of each process."""
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            with contextlib.suppress(OSError):
                yield (entry / "cmdline").read_bytes()


def _unmount_below(host: Host, place: Path) -> None:
    """Take away what a killed engine has left mounted, so that nothing is removed through it."""
    for mount in reversed(host.mounts()):
        if mount.point.startswith(f"{place}/"):
            subprocess.run(
                ["umount", "--lazy", mount.point], check=False, stderr=subprocess.DEVNULL
            )


@contextlib.contextmanager
def _archive(place: Path) -> Iterator[int]:
    """Give a descriptor of a tar archive of the rootfs."""
    with tempfile.TemporaryFile(dir=place) as file:
        with tarfile.open(fileobj=file, mode="w") as archive:
            archive.add(f"{place}/rootfs/{HELLO}", HELLO)
        file.seek(0)
        yield file.fileno()


def _network_option(host: Host) -> str:
    """Return the option that keeps podman from making files below /etc; podman 4.0 renamed it."""
    version = version_of(program_version(host, host.which("podman")))
    is_new = version is None or version >= (4, 0)
    return "--network-config-dir" if is_new else "--cni-config-dir"


def _low_limits(host: Host) -> List[str]:
    """Return podman's options for limits that it can set without CAP_SYS_RESOURCE.

    By default podman raises limits, beyond what it has left to itself; without that right its
    runtime fails then. To lower them needs no right.
    """
    lines = host.read_or("/proc/self/status").splitlines()
    sets = [line.split()[1] for line in lines if line.startswith("CapEff:")]
    if not sets or int(sets[0], 16) >> _CAP_SYS_RESOURCE & 1:
        return []
    return [
        "--ulimit",
        f"nofile={_LOW_LIMIT}:{_LOW_LIMIT}",
        "--ulimit",
        f"nproc={_LOW_LIMIT}:{_LOW_LIMIT}",
    ]


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
