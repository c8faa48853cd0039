# SPDX-License-Identifier: Apache-2.0
"""Booted machines: an image boots once, and each VM resumes from there.

A boot takes a minute under emulation, and resuming a saved state a few seconds. The state lies in
the image's folder, in `booted-HASH/` with the disk that belongs to it; HASH is that of QEMU's
version and of the machine's description.
"""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import socket
import subprocess
import time
from pathlib import Path
from typing import Any, TextIO

from . import machine
from .errors import VmError, say
from .image import Image, lock
from .machine import Disk, Hardware, Vm, remove

SAVE_TIMEOUT_S = 600  # seconds of work, on a machine that may have other


def ensure_booted(image: Image, hardware: Hardware) -> Disk:
    """Return the disk and state of a machine that has just booted; boot it if there is none."""
    folder = image.folder / f"booted-{_machine_hash(image, hardware)}"
    if not folder.exists():
        with lock(folder.with_suffix(".lock")):
            if not folder.exists():
                _boot(image, hardware, folder)
    return Disk(folder / "disk.qcow2", "qcow2", folder / "state")


def _machine_hash(image: Image, hardware: Hardware) -> str:
    version = subprocess.run(
        ["qemu-system-x86_64", "--version"], capture_output=True, text=True, check=True
    ).stdout
    words = [os.fspath(word) for word in machine.qemu_command(image, hardware)]
    return hashlib.sha256(json.dumps([version, words]).encode()).hexdigest()[:16]


def _boot(image: Image, hardware: Hardware, folder: Path) -> None:
    begin = time.monotonic()
    say(f"booting {image.folder.name} ({hardware}): a minute or two, once")
    vm = Vm(image.alias, folder.with_name(f".{folder.name}"))  # ours, since we hold the lock
    remove(vm)  # of a boot that was killed
    vm.folder.mkdir(mode=0o700)
    disk = Disk(vm.disk, "qcow2", vm.folder / "state")
    ours, theirs = socket.socketpair()
    try:
        with ours, theirs:
            machine.start(vm, image, hardware, Disk(image.disk, "raw"), theirs)
            machine.wait_until_up(vm)
            _require_kvm(vm, hardware)
            machine.hang_up(vm)
            _save(ours, disk)
        machine.end(vm)
        for path in set(vm.folder.iterdir()) - {disk.path, disk.state}:
            path.unlink()
        vm.folder.rename(folder)
    finally:
        remove(vm)
    say(f"booted in {time.monotonic() - begin:.0f} s")


def _require_kvm(vm: Vm, hardware: Hardware) -> None:
    """See that KVM is there just where the CPU has it: a state without is good for no test."""
    found = vm.run("test", "-c", "/dev/kvm").returncode == 0
    if found != hardware.svm:
        raise VmError(
            f"/dev/kvm in the VM {vm.name!r} is {'there' if found else 'missing'}, and its CPU "
            f"{'has' if hardware.svm else 'has no'} SVM",
            "see that the machine has time for it (uptime), and run this again",
        )


def _save(connection: socket.socket, disk: Disk) -> None:
    """Have QEMU write the state of its machine to a file; the machine stands still afterwards."""
    with connection.makefile("rw") as qmp:
        _command(qmp, "qmp_capabilities")
        # Standing still first: while emulated CPUs run, QEMU 7.2 misses pages that they write.
        _command(qmp, "stop")
        _command(qmp, "migrate", uri=f"exec:cat > {shlex.quote(str(disk.state))}")
        deadline = time.monotonic() + SAVE_TIMEOUT_S
        while (status := _command(qmp, "query-migrate").get("status")) != "completed":
            if status in ("failed", "cancelled") or time.monotonic() > deadline:
                raise VmError(
                    f"the state of a booted machine cannot be saved: QEMU says {status!r}",
                    f"see whether {disk.path.parent} has 2 GiB of space (df)",
                )
            time.sleep(0.2)


def _command(qmp: TextIO, name: str, **arguments: str) -> dict[str, Any]:
    """Run a command of the QEMU Machine Protocol and return its answer, past any event."""
    json.dump({"execute": name, "arguments": arguments}, qmp)
    qmp.write("\n")
    qmp.flush()
    for line in qmp:
        message: dict[str, Any] = json.loads(line)
        if "error" in message:
            raise VmError(f"QEMU refuses {name}: {message['error']}", "report this")
        if "return" in message:
            result: dict[str, Any] = message["return"]
            return result
    raise VmError(f"QEMU ended during {name}", "see dmesg for its reason, then run this again")
