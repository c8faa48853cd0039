# SPDX-License-Identifier: Apache-2.0
"""A system that lives in memory: a kernel of Debian with KVM, and an initramfs with Python.

An emulator that is too slow for a whole Debian boots it in seconds. The files come from the
release's own packages, whose scripts do not run. The job is in another archive,
which the boot loader hands over together with this one: /work/job, a shell script, and what it
needs.
"""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

from .errors import run
from .recipes import Recipe

PYTHON = "usr/lib/python3.*"
LIBRARIES = "lib/x86_64-linux-gnu"
MODULES = "lib/modules"
PACKAGES = ("collections", "encodings", "importlib", "json", "re", "urllib")
KEPT = (
    "bin/busybox",
    "usr/bin/python3*",
    f"{PYTHON}/*.pyc",
    *(f"{PYTHON}/{package}/**/*.pyc" for package in PACKAGES),
    *(f"{PYTHON}/lib-dynload/{name}.*" for name in ("_json", "resource")),
    "lib64/ld-linux-x86-64.so.2",
    *(
        f"{LIBRARIES}/{name}.so*"
        for name in ("ld-linux-x86-64", "libc", "libexpat", "libm", "libz")
    ),
)
"""Patterns of files: busybox, Python with what km's tests import, and its libraries."""
KVM_MODULES = ("virt/lib/irqbypass.ko", "arch/x86/kvm/kvm.ko", "arch/x86/kvm/kvm-intel.ko")
"""Of the kernel, each before those that need it."""

END = "end of the job: status"
"""The console's last word, before the status of the job."""
INIT = f"""\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/bin:/usr/bin HOME=/root LC_ALL=C
mount -t proc proc /proc
mount -t sysfs sys /sys
mount -t devtmpfs dev /dev
mkdir /dev/pts /dev/shm
mount -t devpts pts /dev/pts
mount -t tmpfs shm /dev/shm
mount -t tmpfs tmp /tmp
for name in fd:fd stdin:fd/0 stdout:fd/1 stderr:fd/2; do
    ln -s /proc/self/${{name#*:}} /dev/${{name%:*}}
done
ip link set lo up
parameters=$(sed -n 's/.*kvm_intel=\\([^ ]*\\).*/\\1/p' /proc/cmdline | tr , ' ')
insmod /{MODULES}/irqbypass.ko
insmod /{MODULES}/kvm.ko
insmod /{MODULES}/kvm-intel.ko $parameters
cd /work
sh job
echo "{END} $?"
sleep 1 # what the serial port has not sent yet would be lost
poweroff -f
"""
"""The first process. The kernel's word `kvm_intel=ept=0,vpid=0` sets parameters of the module."""
USERS = "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUPS = "root:x:0:\nnogroup:x:65534:\n"

LIST_PACKAGES = (
    'for deb in "$1"/var/cache/apt/archives/*.deb; do '
    'dpkg-deb --show --showformat="\\${Package}\\t\\${Version}\\n" "$deb"; done'
)


def fill(recipe: Recipe, folder: Path) -> None:
    """Make vmlinuz, initrd.img and packages.txt in a folder."""
    root, tree = folder / "root", folder / "tree"
    listing = folder / "packages.txt"
    run(
        [
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            "mmdebstrap",
            "--mode=root",
            "--variant=extract",
            "--aptopt=APT::Install-Recommends false",
            '--aptopt=Acquire::Retries "3"',
            f"--include={','.join(recipe.packages)}",
            f"--extract-hook={{ {LIST_PACKAGES}; }} > {listing}",
            *recipe.options,
            recipe.suite,
            root,
        ]
    )
    (kernel,) = (root / "boot").glob("vmlinuz-*")
    shutil.copy(kernel, folder / "vmlinuz")
    # The CPU that reads them will be slow: it gets compiled modules, and looks at no time.
    library = next(root.glob(PYTHON)).relative_to(root)
    compiled = (
        "-m",
        "compileall",
        "-b",
        "-q",
        "--invalidation-mode",
        "unchecked-hash",
        f"/{library}",
    )
    run(["chroot", root, "/usr/bin/python3", *compiled])
    _select(root, tree)
    write_cpio(tree, folder / "initrd.img")
    shutil.rmtree(root)
    shutil.rmtree(tree)


def _select(root: Path, tree: Path) -> None:
    """Copy what is kept of the packages into a tree, and write the rest of the system."""
    for pattern in KEPT:
        for path in sorted(root.glob(pattern)):
            if path.is_symlink() or path.is_file():
                _copy(path, tree / path.relative_to(root))
    (modules,) = (root / MODULES).iterdir()
    for name in KVM_MODULES:
        path = modules / "kernel" / name
        target = tree / MODULES / path.name
        _copy(path, target)
        run(["strip", "--strip-debug", target])
    for name, text in {"init": INIT, "etc/passwd": USERS, "etc/group": GROUPS}.items():
        target = tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
    (tree / "init").chmod(0o755)
    for name in ("dev", "proc", "root", "sys", "tmp"):
        (tree / name).mkdir()
    (tree / "tmp").chmod(0o1777)
    (tree / "usr/bin/env").symlink_to("/bin/busybox")


def _copy(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy2(source, target, follow_symlinks=False)


def write_cpio(tree: Path, archive: Path, there: str = "") -> None:
    """Write all files of a tree as an archive that the kernel unpacks in `/THERE`; root owns them.

    The format is that of Documentation/driver-api/early-userspace/buffer-format.rst in Linux.
    """
    with archive.open("wb") as out:
        for number, path in enumerate([tree, *sorted(tree.rglob("*"))], 1):
            mode = path.lstat().st_mode
            if stat.S_ISLNK(mode):
                content = os.fsencode(path.readlink())
            else:
                content = path.read_bytes() if stat.S_ISREG(mode) else b""
            name = str(there / path.relative_to(tree))
            out.write(_member(number, mode, name, content))
        out.write(_member(0, 0, "TRAILER!!!", b""))


def _member(number: int, mode: int, name: str, content: bytes) -> bytes:
    """Return a member: a header of hexadecimal numbers, name and content, each padded to 4 bytes."""
    path = os.fsencode(name) + b"\0"
    # Inode, mode, owner, group, links, time, size, device twice, special file twice, name, checksum.
    numbers = (number, mode, 0, 0, 1, 0, len(content), 0, 0, 0, 0, len(path), 0)
    header = b"070701" + b"".join(b"%08x" % each for each in numbers)
    return _padded(header + path) + _padded(content)


def _padded(data: bytes) -> bytes:
    return data + b"\0" * (-len(data) % 4)
