# SPDX-License-Identifier: Apache-2.0
"""Base images of virtual machines: a Debian made from its packages, cached by its recipe.

An image is a folder `${XDG_CACHE_HOME:-~/.cache}/kontain/images/NAME-HASH/` with

    disk.raw            the root file system, ext4, sparse
    vmlinuz initrd.img  its kernel
    id_ed25519          the key of the image's root; with known_hosts for `HostKeyAlias NAME`
    packages.txt        what is installed, as dpkg lists it

HASH is that of everything the image is made from here, so an edit makes another image. An
image of a recipe without a disk has neither disk nor keys. The folder
appears by one rename, and a lock makes a second builder wait for the first. It may be deleted at
any time; `rm -r` is how to get newer packages. Building needs root, mmdebstrap and mke2fs.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

from . import initramfs
from .errors import VmError, require_programs, run, say
from .recipes import (
    DISK_SIZE,
    FILES,
    INITRAMFS_FILES,
    MASKED_UNITS,
    RECIPES,
    Recipe,
)


@dataclass(frozen=True)
class Image:
    """The files of a base image; `alias` is the name of its host key."""

    folder: Path
    alias: str

    @property
    def disk(self) -> Path:
        """The root file system; nobody may write to it."""
        return self.folder / "disk.raw"

    @property
    def kernel(self) -> Path:
        """The kernel."""
        return self.folder / "vmlinuz"

    @property
    def initrd(self) -> Path:
        """The initramfs."""
        return self.folder / "initrd.img"

    @property
    def key(self) -> Path:
        """The private key that the image's root accepts."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The image's host key."""
        return self.folder / "known_hosts"


def cache_folder() -> Path:
    """Return the folder of all images."""
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "kontain" / "images"


def local_authorities() -> dict[str, str]:
    """Return the certificate authorities that this machine's administrator added, by file.

    Where a network inspects TLS, a VM in it needs them as this machine does.
    """
    folder = "usr/local/share/ca-certificates"
    return {
        f"{folder}/{file.name}": file.read_text()
        for file in sorted(Path("/", folder).glob("*.crt"))
    }


def recipe_hash(recipe: Recipe, files: dict[str, str]) -> str:
    """Return the hash of everything that goes into an image."""
    parts: list[object] = [asdict(recipe)]
    if recipe.disk:
        parts += [files, INITRAMFS_FILES, MASKED_UNITS, DISK_SIZE]
    else:
        parts += [Path(initramfs.__file__).read_text(encoding="utf-8")]
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:16]


def ensure_image(name: str) -> Image:
    """Return the image of that name, built first if it is not there.

    Raises:
        VmError: there is no such recipe, or it cannot be built here.
    """
    if name not in RECIPES:
        raise VmError(
            f"there is no image {name!r}: wanted one of {', '.join(RECIPES)}",
            "name one of these, or add a recipe to tools/vm/recipes.py",
        )
    files = FILES | local_authorities()
    folder = cache_folder() / f"{name}-{recipe_hash(RECIPES[name], files)}"
    image = Image(folder, f"kontain-{name}")
    if not folder.exists():
        with lock(folder.with_suffix(".lock")):
            if not folder.exists():
                _build(RECIPES[name], files, image)
    return image


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Hold the lock that this file is; wait for it first."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build(recipe: Recipe, files: dict[str, str], image: Image) -> None:
    require_programs("mmdebstrap", "mke2fs", "ssh-keygen", "unshare")
    if os.geteuid() != 0:
        raise VmError(
            f"cannot build {image.folder.name}: the files of a root file system need root to own them",
            "run this once as root, with the same cache folder (XDG_CACHE_HOME)",
        )
    start = time.monotonic()
    say(f"building the base image {image.folder.name}: a minute or two, once")
    work = image.folder.with_name(f".{image.folder.name}")  # ours, since we hold the lock
    shutil.rmtree(work, ignore_errors=True)  # of a build that was killed
    work.mkdir(mode=0o700)
    try:
        if recipe.disk:
            _fill(recipe, files, Image(work, image.alias))
        else:
            initramfs.fill(recipe, work)
        work.rename(image.folder)
    finally:
        shutil.rmtree(work, ignore_errors=True)
    say(f"built {image.folder} in {time.monotonic() - start:.0f} s")


def _fill(recipe: Recipe, files: dict[str, str], image: Image) -> None:
    root = image.folder / "root"
    run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", image.alias, "-f", image.key])
    keys = {"root/.ssh/authorized_keys": image.key.with_suffix(".pub").read_text()}
    _debootstrap(recipe, root, image.folder / "overlay", files | keys)
    host_key = (root / "etc/ssh/ssh_host_ed25519_key.pub").read_text()
    image.known_hosts.write_text(f"{image.alias} {host_key}")
    shutil.move((root / "vmlinuz").resolve(), image.kernel)
    shutil.move((root / "initrd.img").resolve(), image.initrd)
    with (image.folder / "packages.txt").open("w") as listing:
        subprocess.run(
            ["dpkg-query", f"--admindir={root}/var/lib/dpkg", "--show"], stdout=listing, check=True
        )
    run(["mke2fs", "-q", "-F", "-t", "ext4", "-L", "root", "-d", root, image.disk, DISK_SIZE])
    image.disk.chmod(0o444)
    shutil.rmtree(root)


def _debootstrap(recipe: Recipe, root: Path, overlay: Path, files: dict[str, str]) -> None:
    """Install the packages below `root`, and put the files there."""
    for part, contents in (("before", INITRAMFS_FILES), ("after", files)):
        for name, text in contents.items():
            path = overlay / part / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    (overlay / "after/root").chmod(0o700)
    (overlay / "after/root/.ssh").chmod(0o700)
    run(
        [
            # Whatever ends it, no process and no mount of it stays.
            *("unshare", "--mount", "--pid", "--fork", "--kill-child", "--mount-proc"),
            "mmdebstrap",
            "--mode=root",
            "--variant=minbase",
            "--aptopt=APT::Install-Recommends false",
            '--aptopt=Acquire::Retries "3"',
            *recipe.options,
            f"--include={','.join(recipe.packages)}",
            f"--essential-hook=copy-in {overlay}/before/etc /",
            f'--customize-hook=cp -RT {overlay}/after "$1"',
            '--customize-hook=chroot "$1" update-ca-certificates',
            '--customize-hook=systemctl --root="$1" enable systemd-networkd.service',
            f'--customize-hook=systemctl --root="$1" mask {" ".join(MASKED_UNITS)}',
            recipe.suite,
            root,
        ]
    )
    shutil.rmtree(overlay)
