#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0
"""Virtual machines to test in: a Debian host with systemd, cgroup v2, engines and AMD SVM.

    vm=molecule/shared/vm.py
    $vm start dev                    # about 40 s; the first time builds the base image before that
    $vm copy dev build/km /root/     # files or folders, into the VM; `fetch` is the other way
    $vm ssh dev -- /root/km/km /bin/busybox uname -r
    $vm ssh dev                      # a shell
    $vm stop dev                     # the VM, its disk and its folder are gone

QEMU emulates the CPU (TCG), so this runs where nested virtualization is not, /dev/kvm included.
`start --no-svm` gives a host without KVM, `--image trixie-bare` one without engines. Standard
output of `start` is one JSON object: how to connect. `ssh -F build/vms/dev/ssh_config dev` and
`pytest --hosts=ssh://dev --ssh-config=build/vms/dev/ssh_config` work too.

A VM lives below build/vms/NAME: overlay disk, ssh_config, console (serial.log), qemu.pid. Its
disk is an overlay of the base image, whose folder vm_image.py describes. Its ssh port is on
127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import select
import shlex
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from vm_errors import Argument, VmError, require_programs, run
from vm_image import Image, ensure_image

VMS = Path(__file__).resolve().parent.parent.parent / "build" / "vms"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
BOOT_TIMEOUT_S = 300  # several times what it takes on two cores that have other work too
PORT_ATTEMPTS = 5
STOP_TIMEOUT_S = 10
UNIX_PATH_MAX = 107  # sun_path, unix(7)


@dataclass(frozen=True)
class Hardware:
    """What a VM is made of."""

    svm: bool = True
    memory_mib: int = 2048


@dataclass(frozen=True)
class Vm:
    """A virtual machine, by its name; it may or may not be there."""

    name: str

    @property
    def folder(self) -> Path:
        """Everything of this VM."""
        return VMS / self.name

    @property
    def ssh_config(self) -> Path:
        """Configuration with which ssh, scp, Ansible and testinfra find the VM by its name."""
        return self.folder / "ssh_config"

    @property
    def disk(self) -> Path:
        """The overlay of the base image's disk."""
        return self.folder / "disk.qcow2"

    @property
    def console(self) -> Path:
        """What the VM wrote on its serial port."""
        return self.folder / "serial.log"

    def ssh(self, *command: str) -> list[str]:
        """Return the command line that runs a command, given word by word, in the VM."""
        words = [shlex.join(command)] if command else []
        return ["ssh", "-F", str(self.ssh_config), self.name, *words]

    def scp(self, source: str, destination: str) -> list[str]:
        """Return the command line that copies files; the VM's paths begin with `NAME:`."""
        return ["scp", "-q", "-p", "-r", "-F", str(self.ssh_config), source, destination]

    def run(self, *command: str, timeout_s: float = 300) -> subprocess.CompletedProcess[str]:
        """Run a command in the VM and return its status and what it printed."""
        return subprocess.run(
            self.ssh(*command),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=timeout_s,
            check=False,
        )

    def pid(self) -> int | None:
        """Return the process ID of this VM's QEMU, None when it does not run.

        A process ID in a file may long be another process's: its command line decides.
        """
        try:
            pid = int((self.folder / "qemu.pid").read_text())
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except (OSError, ValueError):
            return None
        return pid if os.fsencode(self.folder / "qemu.pid") in words else None


def find_vm(name: str) -> Vm:
    """Return the VM of that name, which runs; raise VmError otherwise."""
    vm = Vm(name)
    if vm.pid() is None:
        raise VmError(f"there is no running VM {name!r}", f"molecule/shared/vm.py start {name}")
    return vm


def start_vm(name: str, image: str = "trixie", hardware: Hardware = Hardware()) -> Vm:
    """Boot a new VM and return it when all its services have started.

    Raises:
        VmError: the name is not one, or taken, or the VM does not start.
    """
    if not NAME.fullmatch(name):
        raise VmError(
            f"{name!r} is not a name for a VM",
            "use lower-case letters, digits and hyphens, 40 at most",
        )
    vm = Vm(name)
    if vm.pid() is not None:
        raise VmError(f"the VM {name!r} runs already", f"molecule/shared/vm.py stop {name}")
    require_programs("qemu-system-x86_64", "qemu-img", "ssh", "scp")
    base = ensure_image(image)
    shutil.rmtree(vm.folder, ignore_errors=True)
    vm.folder.mkdir(mode=0o700, parents=True)
    try:
        _start_qemu(vm, base, hardware)
        _wait_until_up(vm)
    except BaseException:
        _end_qemu(vm)  # the folder stays: its console may say why
        raise
    return vm


def stop_vm(name: str) -> None:
    """Stop a VM, if it runs, and remove all of it."""
    vm = Vm(name)
    _end_qemu(vm)
    if NAME.fullmatch(name):
        shutil.rmtree(vm.folder, ignore_errors=True)


def _start_qemu(vm: Vm, base: Image, hardware: Hardware) -> None:
    run(["qemu-img", "create", "-q", "-f", "qcow2", "-F", "raw", "-b", base.disk, vm.disk])
    for attempt in range(PORT_ATTEMPTS):
        port = _free_port()
        try:
            run(_qemu(vm, base, hardware, port))
            break
        except VmError as error:
            # Another program may take the port before QEMU does.
            if "forwarding" not in str(error) or attempt == PORT_ATTEMPTS - 1:
                raise
    vm.ssh_config.write_text(_ssh_config(vm, base, port))


def _qemu(vm: Vm, base: Image, hardware: Hardware, port: int) -> list[Argument]:
    return [
        "qemu-system-x86_64",
        *("-name", f"kontain-{vm.name}", "-machine", "q35,accel=tcg", "-smp", "2"),
        *("-cpu", f"max,{'+' if hardware.svm else '-'}svm", "-m", str(hardware.memory_mib)),
        *("-kernel", base.kernel, "-initrd", base.initrd),
        *("-append", "root=/dev/vda rw console=ttyS0 quiet"),
        # A disk that is thrown away need not survive a crash.
        *("-drive", f"file={_escape(vm.disk)},format=qcow2,if=virtio,cache=unsafe,discard=unmap"),
        *("-netdev", f"user,id=net,hostfwd=tcp:127.0.0.1:{port}-:22"),
        *("-device", "virtio-net-pci,netdev=net", "-device", "virtio-rng-pci"),
        *("-display", "none", "-monitor", "none", "-serial", f"file:{vm.console}"),
        *("-daemonize", "-pidfile", vm.folder / "qemu.pid"),
    ]


def _escape(path: Path) -> str:
    """Return a path as a value in QEMU's option syntax, where a comma is doubled."""
    return str(path).replace(",", ",,")


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def _ssh_config(vm: Vm, base: Image, port: int) -> str:
    lines = {
        "HostName": "127.0.0.1",
        "Port": port,
        "User": "root",
        "IdentityFile": f'"{base.key}"',
        "IdentitiesOnly": "yes",
        "UserKnownHostsFile": f'"{base.known_hosts}"',
        "HostKeyAlias": base.alias,
        "StrictHostKeyChecking": "yes",
        "BatchMode": "yes",
        "LogLevel": "ERROR",
    }
    control = vm.folder / "ssh"
    if len(str(control)) + len(".0123456789abcdef") <= UNIX_PATH_MAX:
        # One connection for all that follows: under emulation a handshake takes a second.
        lines |= {"ControlMaster": "auto", "ControlPath": f'"{control}"', "ControlPersist": "60"}
    return f"Host {vm.name}\n" + "".join(f"    {key} {value}\n" for key, value in lines.items())


def _wait_until_up(vm: Vm) -> None:
    """Return when ssh answers and systemd has started all that it starts."""
    deadline = time.monotonic() + BOOT_TIMEOUT_S
    while vm.run("true", timeout_s=BOOT_TIMEOUT_S).returncode != 0:
        if vm.pid() is None or time.monotonic() > deadline:
            raise VmError(
                f"the VM {vm.name!r} does not answer after {BOOT_TIMEOUT_S} s"
                if vm.pid()
                else f"QEMU ended while the VM {vm.name!r} booted",
                f"see the end of {vm.console}, and whether memory was enough (free -m, dmesg)",
            )
        time.sleep(0.5)
    left_s = deadline - time.monotonic()
    state = vm.run("systemctl", "is-system-running", "--wait", timeout_s=left_s).stdout.strip()
    if state != "running":
        failed = vm.run("systemctl", "--failed", "--plain", "--no-legend").stdout.strip()
        print(f"vm.py: systemd in {vm.name} is {state}; failed: {failed}", file=sys.stderr)


def _end_qemu(vm: Vm) -> None:
    pid = vm.pid()
    if pid is None:
        return
    handle = os.pidfd_open(pid)
    try:
        if vm.pid() != pid:
            return
        for number in (signal.SIGTERM, signal.SIGKILL):
            signal.pidfd_send_signal(handle, number)
            if select.select([handle], [], [], STOP_TIMEOUT_S)[0]:
                return
    finally:
        os.close(handle)


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.function(options))
    except VmError as error:
        print(error, file=sys.stderr)
        return 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vm.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    verbs = parser.add_subparsers(required=True, metavar="VERB")
    image = verbs.add_parser(
        "image", help="build a base image, if it is not there; print its folder"
    )
    image.add_argument("image", nargs="?", default="trixie")
    image.set_defaults(function=_verb_image)
    start = verbs.add_parser("start", help="boot a VM; print how to connect, as JSON")
    start.add_argument("name")
    start.add_argument("--image", default="trixie")
    start.add_argument("--no-svm", action="store_true", help="a CPU that cannot do KVM")
    start.add_argument("--memory", type=int, default=2048, metavar="MIB")
    start.set_defaults(function=_verb_start)
    ssh = verbs.add_parser("ssh", help="run a command in a VM, or a shell")
    ssh.add_argument("name")
    ssh.add_argument("command", nargs=argparse.REMAINDER, help="-- COMMAND [ARG...]")
    ssh.set_defaults(function=_verb_ssh)
    for verb, text in (("copy", "into a VM"), ("fetch", "out of a VM")):
        copy = verbs.add_parser(verb, help=f"copy files or folders {text}")
        copy.add_argument("name")
        copy.add_argument("source")
        copy.add_argument("destination")
        copy.set_defaults(function=_verb_copy, into=verb == "copy")
    stop = verbs.add_parser("stop", help="end VMs and remove their folders")
    stop.add_argument("names", nargs="+")
    stop.set_defaults(function=_verb_stop)
    return parser


def _verb_image(options: argparse.Namespace) -> int:
    print(ensure_image(options.image).folder)
    return 0


def _verb_start(options: argparse.Namespace) -> int:
    vm = start_vm(
        options.name, options.image, Hardware(svm=not options.no_svm, memory_mib=options.memory)
    )
    facts = {"name": vm.name, "ssh_config": str(vm.ssh_config), "console": str(vm.console)}
    print(json.dumps(facts))
    return 0


def _verb_ssh(options: argparse.Namespace) -> int:
    vm = find_vm(options.name)
    words = options.command[1:] if options.command[:1] == ["--"] else options.command
    # As ssh does: the words are joined by spaces, and a shell in the VM reads them.
    return subprocess.run([*vm.ssh(), *words], check=False).returncode


def _verb_copy(options: argparse.Namespace) -> int:
    vm = find_vm(options.name)
    there = f"{vm.name}:"
    source, destination = options.source, options.destination
    if options.into:
        destination = there + destination
    else:
        source = there + source
    return subprocess.run(vm.scp(source, destination), check=False).returncode


def _verb_stop(options: argparse.Namespace) -> int:
    for name in options.names:
        stop_vm(name)
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
