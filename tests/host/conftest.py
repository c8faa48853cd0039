# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the tests of a host: a small host, bundles, and a real system that forgets."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from .small_host import ROOT, BundleMaker, SmallHost, make_root


@pytest.fixture
def memory() -> Iterator[Path]:
    """Return a new folder, in memory where there is such a file system: journals sync a lot."""
    shared = Path("/dev/shm")  # noqa: S108  the folder in it has a name that nobody can foresee
    folder = tempfile.mkdtemp(prefix="kontain-", dir=shared if shared.is_dir() else None)
    yield Path(folder)
    shutil.rmtree(folder)


@pytest.fixture
def host(memory: Path) -> SmallHost:
    """Return a host without engines in an own folder."""
    return SmallHost(make_root(memory / "host"))


@pytest.fixture
def make_bundle(tmp_path: Path) -> BundleMaker:
    """Return the maker of bundles."""
    folder = tmp_path / "bundles"
    folder.mkdir()
    return BundleMaker(folder)


_SANDBOX = """
set -eu
mount --make-rprivate /
mount -t tmpfs -o mode=0700 none "$1"
for folder in etc opt usr/local var/lib; do
    mkdir -p "$1/$folder/upper" "$1/$folder/work"
    mount -t overlay -o "lowerdir=/$folder,upperdir=$1/$folder/upper,workdir=$1/$folder/work" \\
        none "/$folder"
done
checkout=$2
shift 2
if [ -e /opt/kontain ] || [ -e /var/lib/kontain ]; then
    "$checkout/command/bin/kontain" uninstall --yes --force >/dev/null 2>&1 || :
    rm -rf /opt/kontain /etc/kontain /var/lib/kontain
fi
exec "$@"
"""
"""The tests begin without Kontain, whatever this machine has."""


@pytest.fixture
def in_sandbox(tmp_path: Path) -> Callable[..., subprocess.CompletedProcess[str]]:
    """Return what runs a command on this system, whose changes to it vanish when it ends."""
    if os.geteuid() != 0:
        pytest.skip("needs root for a mount namespace: run the tests with sudo")
    scratch = tmp_path / "sandbox"
    scratch.mkdir()

    def run(*command: str) -> subprocess.CompletedProcess[str]:
        inside = [
            "unshare",
            "--mount",
            "sh",
            "-c",
            _SANDBOX,
            "sandbox",
            str(scratch),
            str(ROOT),
            *command,
        ]
        return subprocess.run(
            inside, capture_output=True, text=True, check=False, timeout=120, cwd=tmp_path
        )

    return run
