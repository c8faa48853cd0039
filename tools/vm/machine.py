# SPDX-License-Identifier: Apache-2.0
"""One virtual machine: how QEMU is started for it and ended, and how ssh reaches it."""

from __future__ import annotations

import itertools
import os
import select
import shlex
import shutil
import signal
import socket
import subprocess
import time
from dataclasses import dataclass
from pathlib import Path

from .errors import Argument, VmError, run, say
from .image import Image

BOOT_TIMEOUT_S = 900  # a boot takes one minute, and several on two cores that have other work
CONNECT_TIMEOUTS_S = (5, 5, 5, 10, 10, 20, 60)
STOP_TIMEOUT_S = 10
PORT_ATTEMPTS = 5
UNIX_PATH_MAX = 107  # sun_path, unix(7)
START_AGAIN = (
    "systemctl restart $(systemctl --failed --plain --no-legend | cut -d ' ' -f 1);"
    " systemctl is-system-running --wait"
)
KERNEL_OPTIONS = (
    *("root=/dev/vda", "rw", "console=ttyS0", "quiet"),
    "panic=-1",  # a panic ends QEMU, and the console tells
    "vsyscall=xonly",  # Debian 13 has turned that page off
    # What systemd waits for may take minutes on a machine that has other work.
    *("systemd.default_timeout_start_sec=900", "systemd.default_device_timeout_sec=900"),
    "udev.event_timeout=900",
)


@dataclass(frozen=True)
class Hardware:
    """The parts of a VM."""

    svm: bool = True
    memory_mib: int = 2048


@dataclass(frozen=True)
class Vm:
    """A virtual machine, by its name and folder; it may or may not run."""

    name: str
    folder: Path

    @property
    def ssh_config(self) -> Path:
        """Configuration with which ssh, scp, Ansible and testinfra find the VM by its name."""
        return self.folder / "ssh_config"

    @property
    def disk(self) -> Path:
        """The overlay of another disk, which it leaves as it is."""
        return self.folder / "disk.qcow2"

    @property
    def console(self) -> Path:
        """The VM's output on its serial port."""
        return self.folder / "serial.log"

    @property
    def pid_file(self) -> Path:
        """QEMU's process ID."""
        return self.folder / "qemu.pid"

    def ssh(self, *command: str) -> list[str]:
        """Return the command line that runs a command, given word by word, in the VM."""
        words = [shlex.join(command)] if command else []
        return ["ssh", "-F", str(self.ssh_config), self.name, *words]

    def scp(self, source: str, destination: str) -> list[str]:
        """Return the command line that copies files; the VM's paths begin with `NAME:`."""
        return ["scp", "-q", "-p", "-r", "-F", str(self.ssh_config), source, destination]

    def run(self, *command: str, timeout_s: float = 900) -> subprocess.CompletedProcess[str]:
        """Run a command in the VM and return its status and what it printed.

        Raises:
            VmError: it does not end in time.
        """
        try:
            return subprocess.run(
                self.ssh(*command),
                stdin=subprocess.DEVNULL,
                capture_output=True,
                text=True,
                errors="replace",
                timeout=timeout_s,
                check=False,
            )
        except subprocess.TimeoutExpired as error:
            raise VmError(
                f"`{shlex.join(command)}` in the VM {self.name!r} has not ended in {timeout_s:.0f} s",
                "see that the machine has time for it (uptime), and run this again",
            ) from error

    def pid(self) -> int | None:
        """Return the process ID of this VM's QEMU, None when it does not run.

        The number in the file may long be another process's: that one's command line decides.
        """
        try:
            pid = int(self.pid_file.read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.pid_file) in words else None


@dataclass(frozen=True)
class Disk:
    """A disk that overlays are made of, and the state of a machine that runs from it."""

    path: Path
    format: str
    state: Path | None = None


def start(
    vm: Vm, image: Image, hardware: Hardware, disk: Disk, monitor: socket.socket | None = None
) -> None:
    """Start QEMU: it boots, or resumes the disk's state. It speaks QMP on `monitor`."""
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", disk.format, "-b", disk.path, vm.disk])
    for attempt in range(PORT_ATTEMPTS):
        port = _free_port()
        command = qemu_command(image, hardware) + _own_arguments(vm, disk, port)
        if monitor:
            command += ["-chardev", f"socket,id=qmp,fd={monitor.fileno()}"]
            command += ["-mon", "chardev=qmp,mode=control"]
        try:
            run(command, pass_fds=[monitor.fileno()] if monitor else [])
            break
        except VmError as error:
            # Another program may take the port before QEMU does.
            if "host forwarding" not in str(error) or attempt == PORT_ATTEMPTS - 1:
                raise
    vm.ssh_config.write_text(_ssh_config(vm, image, port))


def qemu_command(image: Image, hardware: Hardware) -> list[Argument]:
    """Return what is the same for all VMs of an image: a saved state fits just this."""
    return [
        "qemu-system-x86_64",
        # One thread for both CPUs: with a thread for each, one may run code that the other has just
        # patched. KVM patches its static keys with each first VM, and the guest's kernel dies of it
        # (Oops: int3 in finish_task_switch).
        *("-machine", "q35", "-accel", "tcg,thread=single"),
        *("-smp", "2", "-m", str(hardware.memory_mib)),
        # Without protection keys, which guests of km do not have: QEMU's own are reported in faults
        # of pages that have none any more. Without page tables of five levels, with which QEMU 7.2
        # has programs of the initial RAM disk read what is not there, when there is no SVM.
        *("-cpu", f"max,-pku,-la57,{'+' if hardware.svm else '-'}svm"),
        *("-kernel", image.kernel, "-initrd", image.initrd),
        *("-append", " ".join(KERNEL_OPTIONS), "-no-reboot"),
        *("-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"),
        # A new identity tells a VM that goes on from a state to draw new random numbers.
        *("-device", "vmgenid,guid=auto"),
        # That it stood still when it was saved is not in the state: who goes on from it, runs.
        *("-global", "migration.store-global-state=off"),
        *("-display", "none", "-daemonize"),
    ]


def _own_arguments(vm: Vm, disk: Disk, port: int) -> list[Argument]:
    arguments: list[Argument] = [
        *("-name", f"kontain-{vm.name}", "-pidfile", vm.pid_file),
        # A disk that is thrown away need not survive a crash.
        *("-drive", f"file={_escape(vm.disk)},format=qcow2,if=virtio,cache=unsafe"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-monitor", "none", "-serial", f"file:{_escape(vm.console)}"),
    ]
    if disk.state:
        arguments += ["-incoming", f"exec:cat {shlex.quote(str(disk.state))}"]
    return arguments


def _escape(path: Path) -> str:
    """Return a path as a value in QEMU's option syntax, where a comma is doubled."""
    return str(path).replace(",", ",,")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ssh_config(vm: Vm, image: Image, port: int) -> str:
    lines = {
        "HostName": "127.0.0.1",
        "Port": port,
        "User": "root",
        "IdentityFile": f'"{image.key}"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{image.known_hosts}"',
        "HostKeyAlias": image.alias,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "LogLevel": "ERROR",
    }
    control = vm.folder / "ssh-%r"
    if len(os.fsencode(control)) + len("root.0123456789abcdef") <= UNIX_PATH_MAX:
        # One connection of a user for all that follows: under emulation a handshake takes a second.
        lines |= {"ControlMaster": "auto", "ControlPath": f'"{control}"', "ControlPersist": "60"}
    return f"Host {vm.name}\n" + "".join(f"    {key} {value}\n" for key, value in lines.items())


def wait_until_up(vm: Vm) -> None:
    """Return when ssh answers and systemd has started all that it starts."""
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    # What is not there yet shall be asked again soon; what is slow to answer gets time.
    waits = itertools.chain(CONNECT_TIMEOUTS_S, itertools.repeat(CONNECT_TIMEOUTS_S[-1]))
    while not _answers(vm, next(waits)):
        if vm.pid() is None or time.monotonic() > deadline:
            why = "does not answer" if vm.pid() else "has ended"
            raise VmError(
                f"the VM {vm.name!r} {why} after {_console_end(vm)}",
                "see that there was enough memory (free -m) and time (uptime), and run this again",
            )
        time.sleep(0.2)
    state = vm.run("systemctl", "is-system-running", "--wait").stdout.strip()
    if state != "running":  # what had too little time gets it now
        state = vm.run("sh", "-c", START_AGAIN).stdout.strip()
    if state != "running":
        failed = vm.run("systemctl", "--failed", "--plain", "--no-legend").stdout.strip()
        say(f"systemd in {vm.name} is {state}: {failed}")


def _answers(vm: Vm, timeout_s: int) -> bool:
    connect = ["ssh", "-o", f"ConnectTimeout={timeout_s}", *vm.ssh("true")[1:]]
    return subprocess.run(connect, capture_output=True, check=False).returncode == 0


def _console_end(vm: Vm) -> str:
    """Return the last lines of the console, as the end of a sentence."""
    try:
        lines = vm.console.read_text(errors="replace").splitlines()[-10:]
    except FileNotFoundError:
        lines = []
    return "\n".join(["it wrote on its console:", *lines]) if lines else "writing nothing"


def hang_up(vm: Vm) -> None:
    """Close the connection that ssh commands share; the next one opens another."""
    command = ["ssh", "-O", "exit", *vm.ssh()[1:]]
    subprocess.run(command, capture_output=True, check=False)


def end(vm: Vm) -> None:
    """End QEMU, if it runs, and return when it has ended."""
    pid = vm.pid()
    if pid is None:
        return
    hang_up(vm)
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return
    try:
        # While the handle is open and names our QEMU, no other process gets its number.
        for number in (signal.SIGTERM, signal.SIGKILL):
            if vm.pid() != pid:
                return
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], STOP_TIMEOUT_S)[0]:
                return
    finally:
        os.close(handle)


def remove(vm: Vm) -> None:
    """End QEMU, if it runs, and remove the VM's folder."""
    end(vm)
    shutil.rmtree(vm.folder, ignore_errors=True)
