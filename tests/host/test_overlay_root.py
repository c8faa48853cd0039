# SPDX-License-Identifier: Apache-2.0
"""A host whose root is an overlay, as a live system's or a virtual machine's may be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from kontain_host import release

from .small_host import PYTHON_PATH, BundleMaker, SmallHost, make_root

pytestmark = pytest.mark.needs_root

_OVERLAY = """
set -eu
mount --make-rprivate /
mkdir "$1/upper" "$1/work" "$1/merged"
mount -t overlay -o "lowerdir=$1/host,upperdir=$1/upper,workdir=$1/work" none "$1/merged"
folder=$1 python=$2 program=$3
shift 3
exec "$python" -c "$program" "$folder/merged" "$@"
"""
_REMOVE = """
import sys
from pathlib import Path
from tests.host.small_host import SmallHost
from kontain_host.uninstall import uninstall
root = Path(sys.argv[1])
report = uninstall(SmallHost(root))
assert report.left == [], report.left
assert list(root.glob("opt/*")) + list(root.glob("var/lib/*")) == []
"""
_UPGRADE = """
import sys
from pathlib import Path
from tests.host.small_host import SmallHost
from kontain_host import release
host, bundle = SmallHost(Path(sys.argv[1])), Path(sys.argv[2])
release.install(host, bundle)
assert sorted(item.name for item in host.path("/opt/kontain/versions").iterdir()) == ["0.2.0", "0.3.0"]
"""


def in_overlay(memory: Path, program: str, *arguments: str) -> None:
    """Run a program of the library on a host that is the lower layer of an overlay."""
    command = ["unshare", "--mount", "sh", "-c", _OVERLAY, "overlay", str(memory)]
    subprocess.run(
        [*command, sys.executable, program, *arguments], check=True, env=PYTHON_PATH, timeout=60
    )


def test_a_release_of_a_lower_layer_is_removed(memory: Path, make_bundle: BundleMaker) -> None:
    """An uninstallation leaves nothing of a tree whose folder cannot be renamed."""
    release.install(SmallHost(make_root(memory / "host")), make_bundle())
    in_overlay(memory, _REMOVE)


def test_the_oldest_release_of_a_lower_layer_is_removed(
    memory: Path, make_bundle: BundleMaker
) -> None:
    """An upgrade removes the tree that nothing needs any more, likewise."""
    host = SmallHost(make_root(memory / "host"))
    for version in ("0.1.0", "0.2.0"):
        release.install(host, make_bundle(version))
    in_overlay(memory, _UPGRADE, str(make_bundle("0.3.0")))
