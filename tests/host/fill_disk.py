# SPDX-License-Identifier: Apache-2.0
"""`fill_disk.py BUNDLE FOLDER`: install on disks of growing size, in an own mount namespace.

A run must end with the host as before and a word about the disk, or with the release installed.
"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from kontain_host import release
from kontain_host.errors import HostError
from kontain_host.uninstall import uninstall
from tests.host.small_host import SmallHost, make_root, snapshot


def try_size(bundle: Path, disk: Path, kilobytes: int) -> bool:
    """Install on a disk of that size and return whether that went; else judge what is left."""
    subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={kilobytes}k", "none", str(disk)], check=True
    )
    try:
        host = SmallHost(make_root(disk / "host"))
        before = snapshot(Path(host.root))
        installed = _install(host, bundle)
        if installed:
            uninstall(host)
        if snapshot(Path(host.root)) != before:
            sys.exit(f"{kilobytes} KiB: the host is not as before")
        return installed
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def _install(host: SmallHost, bundle: Path) -> bool:
    try:
        release.install(host, bundle)
    except HostError as error:
        if "space" not in str(error):
            sys.exit(str(error))
        return False
    return True


def main() -> None:
    """Try sizes from too small for the first directory to large enough."""
    bundle, folder = Path(sys.argv[1]), Path(sys.argv[2])
    disk = folder / "disk"
    disk.mkdir()
    subprocess.run(["mount", "--make-rprivate", "/"], check=True)
    outcomes = {try_size(bundle, disk, size) for size in range(60, 700, 6)}
    print("failed and installed" if outcomes == {False, True} else outcomes)


if __name__ == "__main__":
    main()
