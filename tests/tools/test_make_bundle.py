# SPDX-License-Identifier: Apache-2.0
"""`make bundle` on the real sources."""

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.sources import pack_sources


def build(folder: Path, packed: bytes) -> bytes:
    """Return the bundle that sources make in a new folder, without the tools' environment."""
    folder.mkdir(parents=True)
    subprocess.run(["tar", "-x"], cwd=folder, input=packed, check=True)
    made = subprocess.run(
        ["make", "--no-print-directory", "bundle"],
        cwd=folder,
        check=False,
        capture_output=True,
        text=True,
    )
    assert (made.returncode, made.stderr) == (0, "")
    (bundle,) = (folder / "build").glob("kontain-*-x86_64.tar.gz")
    return bundle.read_bytes()


@pytest.mark.slow
def test_bundle_does_not_depend_on_where_it_is_made(tmp_path: Path) -> None:
    """Two clones in two places make the same bytes, and no compiler warns of anything."""
    for tool in ("make", "gcc", "musl-gcc", "git"):
        if not shutil.which(tool):
            pytest.skip(f"{tool} is missing: run `make deps`")
    packed = pack_sources()
    first = build(tmp_path / "one", packed)
    assert build(tmp_path / "another" / "place", packed) == first
