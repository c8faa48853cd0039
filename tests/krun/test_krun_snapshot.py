# SPDX-License-Identifier: Apache-2.0
"""A snapshot as a container's program: the image needs nothing else."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .support import BUSYBOX, FOREVER, ID, IN_A_VM, BundleFolder, Runtime, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

KM = Path(__file__).resolve().parents[2] / "build" / "km" / "km"
SNAPSHOT = "/app.kmsnap"
ELSEWHERE = 124


@pytest.fixture
def image(bundle: BundleFolder) -> BundleFolder:
    """An image with nothing but the snapshot of a shell that was started on the host."""
    script = "warm=yes; read x </proc/kontain/snapshot; echo warm $warm; read y; echo $y; exit 3"
    shutil.rmtree(bundle.rootfs)
    bundle.rootfs.mkdir()
    subprocess.run(
        [KM, "--snapshot", bundle.rootfs / SNAPSHOT[1:], BUSYBOX, "sh", "-c", script],
        cwd="/",
        check=True,
    )
    return bundle


def test_snapshot_is_an_entry_point(krun: Runtime, image: BundleFolder) -> None:
    """It resumes in each container, with the container's standard streams and status."""
    for word in ("one", "two"):
        done = krun("run", "-b", image.args(SNAPSHOT), word, stdin=None, input=f"{word}\n")
        assert (done.returncode, done.stdout) == (3, f"warm yes\n{word}\n")


def test_snapshot_is_executed(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """`exec` resumes one in a container that runs already."""
    snapshot = tmp_path / "sh.kmsnap"
    script = "read x </proc/kontain/snapshot; uname -r"
    subprocess.run([KM, "--snapshot", snapshot, BUSYBOX, "sh", "-c", script], cwd="/", check=True)
    shutil.copy(snapshot, bundle.rootfs / "bin" / "warm")
    start(krun, bundle, "sleep", FOREVER)
    assert krun("exec", ID, "warm").stdout.endswith(f"{IN_A_VM}\n")


def test_damaged_snapshot_ends_its_container(krun: Runtime, image: BundleFolder) -> None:
    """The container's status is km's, and km says why."""
    path = image.rootfs / SNAPSHOT[1:]
    content = bytearray(path.read_bytes())
    content[8] = 99
    path.write_bytes(content)
    done = krun("run", "-b", image.args(SNAPSHOT), ID)
    assert done.returncode == ELSEWHERE
    assert "km: cannot resume" in done.stderr
