# SPDX-License-Identifier: Apache-2.0
"""Machines with Intel's VMX, which Bochs emulates: a job goes in, and its console comes out.

    with bochs.machine(image, job, "corei7_haswell_4770") as console:
        for line in console: ...

The image is one without a disk, see initramfs.py. Bochs executes some twenty to fifty million
instructions a second. Its clock counts instructions, a thousand million a second, and jumps ahead
where the CPU waits: the guest's time counts instructions, and does not depend on the host's other
work.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .errors import VmError, require_files, require_programs, run
from .image import Image
from .initramfs import END, write_cpio

ISOLINUX = Path("/usr/lib/ISOLINUX/isolinux.bin")
LDLINUX = Path("/usr/lib/syslinux/modules/bios/ldlinux.c32")
BIOS = Path("/usr/share/bochs/BIOS-bochs-latest")
VGA_BIOS = Path("/usr/share/vgabios/vgabios.bin")
FILES = {
    ISOLINUX: "isolinux",
    LDLINUX: "syslinux-common",
    BIOS: "bochsbios",
    VGA_BIOS: "vgabios",
}
"""The parts of a machine, and the packages that have them."""

MEMORY_MIB = 1024
HZ = 1_000_000_000  # instructions in a second of the machine's clock
SILENCE_S = 1200  # the longest between two lines of the console, on a host that has other work
POLL_S = 0.2
LINES_SHOWN = 15

# The kernel takes the clock's rate from us, not from CPUID, where newer models state a real CPU's.
KERNEL_WORDS = (
    f"console=ttyS0,115200 loglevel=1 panic=-1 tsc=reliable tsc_early_khz={HZ // 1000} lpj=4000000 "
    "no_timer_check nokaslr mitigations=off pti=off nowatchdog audit=0 random.trust_cpu=on "
    "vsyscall=xonly"
)
BOOT_MENU = """\
DEFAULT linux
PROMPT 0
LABEL linux
 KERNEL /vmlinuz
 INITRD /initrd.img,/job.img
 APPEND {words}
"""
SETTINGS = """\
plugin_ctrl: speaker=0, parallel=0, gameport=0
config_interface: textconfig
display_library: rfb, options="timeout=0"
memory: guest={memory}, host={memory}
romimage: file={bios}
vgaromimage: file={vga_bios}
cpu: model={model}, count=1, ips={hz}, reset_on_triple_fault=0, ignore_bad_msrs=1
clock: sync=none
boot: cdrom
ata0: enabled=1, ioaddr1=0x1f0, ioaddr2=0x3f0, irq=14
ata0-master: type=cdrom, path={iso}, status=inserted
com1: enabled=1, mode=file, dev={console}
log: {log}
panic: action=fatal
error: action=ignore
info: action=ignore
debug: action=ignore
"""

FIX = "see whether the host has time and memory for it (uptime, free), and run this again"


@contextmanager
def machine(image: Image, job: Path, model: str, kvm_intel: str = "") -> Iterator[Iterator[str]]:
    """Boot a machine of a CPU model of Bochs; yield the lines of its console, up to the job's end.

    The folder JOB becomes /work there, and its file `job` is run; KVM_INTEL has parameters of the
    module, `ept=0` or several with commas. Raises VmError where the machine is silent for too long,
    or its job ends with another status than 0. However it is left, Bochs has ended.
    """
    require_programs("bochs-bin", "setpriv", "xorriso")
    require_files(FILES)
    with tempfile.TemporaryDirectory(prefix="bochs-") as name:
        folder = Path(name)
        words = f"{KERNEL_WORDS} kvm_intel={kvm_intel}" if kvm_intel else KERNEL_WORDS
        _write_iso(image, job, words, folder / "boot.iso")
        settings = SETTINGS.format(
            memory=MEMORY_MIB,
            bios=BIOS,
            vga_bios=VGA_BIOS,
            model=model,
            hz=HZ,
            iso=folder / "boot.iso",
            console=folder / "console",
            log=folder / "log",
        )
        (folder / "settings").write_text(settings, encoding="utf-8")
        (folder / "commands").write_text("c\n", encoding="utf-8")  # to its debugger: continue
        with (folder / "output").open("w") as output, _bochs(folder, output.fileno()) as process:
            yield _lines(process, folder)


def _write_iso(image: Image, job: Path, words: str, iso: Path) -> None:
    """Write a disc that boots the image with a job."""
    root = iso.with_suffix("")
    loader = root / "isolinux"
    loader.mkdir(parents=True)
    for source in (ISOLINUX, LDLINUX):
        shutil.copy(source, loader)
    (loader / "isolinux.cfg").write_text(BOOT_MENU.format(words=words), encoding="utf-8")
    (root / "vmlinuz").symlink_to(image.kernel)
    (root / "initrd.img").symlink_to(image.initrd)
    write_cpio(job, root / "job.img", "work")
    boot = ("-b", "isolinux/isolinux.bin", "-no-emul-boot", "-boot-load-size", "4")
    options = ("-quiet", "-f", *boot, "-boot-info-table", "-c", "isolinux/boot.cat")
    run(["xorriso", "-as", "mkisofs", *options, "-o", iso, root])


@contextmanager
def _bochs(folder: Path, output: int) -> Iterator[subprocess.Popen[bytes]]:
    """Run Bochs on the settings in a folder; at the end, or with this process, it ends."""
    command = ["setpriv", "--pdeathsig", "KILL", "bochs-bin", "-q", "-f", "settings"]
    process = subprocess.Popen(
        [*command, "-rc", "commands"],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=subprocess.STDOUT,
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()


def _lines(process: subprocess.Popen[bytes], folder: Path) -> Iterator[str]:
    """Yield the lines of the console as they come."""
    console = folder / "console"
    seen: list[str] = []
    rest = ""
    offset = 0
    last = time.monotonic()
    while time.monotonic() - last < SILENCE_S:
        ended = process.poll() is not None  # asked first: what it wrote before is read below
        text = _read(console, offset)
        offset += len(text)
        *lines, rest = (rest + text.decode(errors="replace")).split("\n")
        for line in (line.rstrip("\r") for line in lines):
            last = time.monotonic()
            seen.append(line)
            if line.startswith(END):
                _require_success(line, seen)
                return
            yield line
        if ended:
            raise VmError(
                f"Bochs ended with status {process.returncode}, {_ends(folder, seen)}", FIX
            )
        time.sleep(POLL_S)
    raise VmError(f"a machine in Bochs was silent for {SILENCE_S} s, {_ends(folder, seen)}", FIX)


def _read(path: Path, offset: int) -> bytes:
    """Return what a file has from an offset on; nothing where it is not there yet."""
    try:
        with path.open("rb") as file:
            file.seek(offset)
            return file.read()
    except FileNotFoundError:
        return b""


def _require_success(line: str, seen: list[str]) -> None:
    """Raise VmError where the job's last line has another status than 0."""
    if line != f"{END} 0":
        end = "\n".join(seen[-LINES_SHOWN:])
        raise VmError(
            f"the job in Bochs did not end with status 0:\n{end}", "look at what it says"
        )


def _ends(folder: Path, seen: list[str]) -> str:
    """Return how Bochs and its console end, as the end of a sentence."""
    said = (folder / "output").read_text(errors="replace").splitlines()[-LINES_SHOWN:]
    return "\n".join(["having said:", *said, "and the console:", *seen[-LINES_SHOWN:]])
