# SPDX-License-Identifier: Apache-2.0
"""Virtual machines to test in: a Debian host with systemd, cgroup v2, engines and AMD SVM.

    vm=tools/vm/vm
    $vm start dev                    # 5 s; the first time three minutes, to make a base image
    $vm copy dev build/km /root/     # files or folders, into the VM; `fetch` is the other way
    $vm ssh dev -- /root/km/km /bin/busybox uname -r
    $vm ssh dev                      # a shell
    $vm stop dev                     # the VM, its disk and its folder are gone

QEMU emulates the CPU (TCG), so this runs where nested virtualization is not, /dev/kvm included.
`start --no-svm` gives a host without KVM, `--image trixie-bare` one without engines. Standard
output of `start` is one JSON object: how to connect. `ssh -F build/vms/dev/ssh_config dev` and
`pytest --hosts=ssh://dev --ssh-config=build/vms/dev/ssh_config` work too.

A VM lives below build/vms/NAME: overlay disk, ssh_config, console (serial.log), qemu.pid. Its
disk is an overlay of the base image, whose folder image.py describes. Its ssh port is on
127.0.0.1 only.
"""

from __future__ import annotations

import argparse
import json
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from . import machine
from .boot import ensure_booted
from .errors import VmError, require_programs
from .image import ensure_image
from .machine import Hardware, Vm

VMS = Path(__file__).resolve().parents[2] / "build" / "vms"
CONSOLES = VMS.parent / "log"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")


def named_vm(name: str) -> Vm:
    """Return the VM of that name, be it there or not; raise VmError if it is not a name."""
    if not NAME.fullmatch(name):
        raise VmError(
            f"{name!r} is not a name for a VM",
            "use lower-case letters, digits and hyphens, 40 at most",
        )
    return Vm(name, VMS / name)


def find_vm(name: str) -> Vm:
    """Return the VM of that name, which runs; raise VmError otherwise."""
    vm = named_vm(name)
    if vm.pid() is None:
        raise VmError(f"there is no running VM {name!r}", f"tools/vm/vm start {name}")
    return vm


def start_vm(name: str, image: str = "trixie", hardware: Hardware = Hardware()) -> Vm:  # noqa: B008 - it is frozen
    """Start a new VM, with all its services started, from a base image.

    Raises:
        VmError: the name is not one, or taken, or the VM does not start.
    """
    vm = named_vm(name)
    if vm.pid() is not None:
        raise VmError(f"the VM {name!r} runs already", f"tools/vm/vm stop {name}")
    require_programs("qemu-system-x86_64", "qemu-img", "ssh", "scp")
    base = ensure_image(image)
    if not base.disk.exists():
        raise VmError(
            f"the image {image!r} has no disk: it is one for Bochs, see bochs.py",
            "name another image",
        )
    booted = ensure_booted(base, hardware)
    shutil.rmtree(vm.folder, ignore_errors=True)
    vm.folder.mkdir(mode=0o700, parents=True)
    try:
        machine.start(vm, base, hardware, booted)
        machine.wait_until_up(vm)
        set_clock(vm)
    except BaseException:
        machine.end(vm)  # the folder stays: its console may say why
        raise
    return vm


def set_clock(vm: Vm) -> None:
    """Bring a VM that resumes from a saved state into the present."""
    done = vm.run("date", "--set", f"@{time.time():.3f}")
    if done.returncode != 0:
        raise VmError(
            f"the clock of {vm.name!r} cannot be set: {done.stderr.strip()}", "report this"
        )


def stop_vm(name: str) -> None:
    """Stop a VM, if it runs, and remove all of it but its console, which goes to build/log."""
    vm = named_vm(name)
    machine.end(vm)
    if vm.console.exists():
        CONSOLES.mkdir(parents=True, exist_ok=True)
        shutil.copy(vm.console, CONSOLES / f"console-{name}.log")
    machine.remove(vm)


def main(arguments: Sequence[str]) -> int:
    """Run the command line and return the exit status."""
    options = _parser().parse_args(arguments)
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    try:
        return int(options.function(options))
    except VmError as error:
        print(error, file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="vm", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
