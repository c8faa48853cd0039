# SPDX-License-Identifier: Apache-2.0
"""The image of Kubernetes nodes holds what it needs, no shell, and is the same each time."""

from __future__ import annotations

import hashlib
import io
import json
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.collection.sandbox import why_not
from tests.sources import ROOT

pytestmark = [
    pytest.mark.slow,
    pytest.mark.needs_root,
    pytest.mark.skipif(bool(why_not()), reason=why_not()),
]

VERSION = subprocess.check_output([ROOT / "tools/release/version"], text=True).strip()
SHELLS = ("sh", "bash", "dash", "busybox")
NO_PYTHON = 'mount --bind /dev/null /usr/bin/python3; exec "$@"'


def build(folder: Path) -> Path:
    """Make the image in FOLDER; return its archive."""
    path = f"{ROOT}/host:{ROOT}/preflight:{ROOT}/runenv"
    environment = {"PYTHONPATH": path, "PATH": "/usr/bin:/bin", "HOME": str(Path.home())}
    command = [sys.executable, "-m", "tools.release.node_image", VERSION, str(folder)]
    subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
    return folder / "kubernetes.tar"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the image's archive; its bill and its list of files stand next to it."""
    return build(tmp_path_factory.mktemp("image"))


def bundle(image: Path) -> bytes:
    """Return the bundle that an image holds."""
    with tarfile.open(image) as archive:
        for member in archive:
            stream = archive.extractfile(member)
            data = stream.read() if stream else b""
            if data.startswith(b"\x1f\x8b"):
                with tarfile.open(fileobj=io.BytesIO(data)) as layer:
                    for name in layer.getnames():
                        if name.startswith("kontain/kontain-") and name.endswith(".tar.gz"):
                            found = layer.extractfile(name)
                            assert found
                            return found.read()
    raise AssertionError(image)


def test_it_holds_no_shell_and_names_its_packages(image: Path) -> None:
    """A breakout of its container finds no shell, and its bill has every package."""
    lines = image.with_suffix(".files").read_text().splitlines()
    paths = [line.split(" -> ")[0].rpartition(" ")[2] for line in lines]
    names = {path.rpartition("/")[2] for path in paths if "/bin/" in path}
    assert names.isdisjoint(SHELLS)
    assert {"python3", "nsenter", "kontain-node"} <= names
    packages = json.loads(image.with_suffix(".spdx.json").read_text())["packages"]
    assert {"libc6", "python3.11-minimal", "util-linux"} <= {one["name"] for one in packages}


def test_its_bill_describes_kontain(image: Path) -> None:
    """Name, version, licence and sum of the bundle in it, as what the document describes."""
    document = json.loads(image.with_suffix(".spdx.json").read_text())
    (kontain,) = (one for one in document["packages"] if one["name"] == "kontain")
    assert (kontain["versionInfo"], kontain["licenseDeclared"]) == (VERSION, "Apache-2.0")
    digest = hashlib.sha256(bundle(image)).hexdigest()
    assert kontain["checksums"] == [{"algorithm": "SHA256", "checksumValue": digest}]
    relations = {
        (one["spdxElementId"], one["relationshipType"])
        for one in document["relationships"]
        if one["relatedSpdxElement"] == kontain["SPDXID"]
    }
    assert relations == {("SPDXRef-DOCUMENT", "DESCRIBES"), ("SPDXRef-Image", "CONTAINS")}


def test_it_is_reproducible(image: Path, tmp_path: Path) -> None:
    """The same sources and packages make the same bytes."""
    again = build(tmp_path)
    digests = [hashlib.sha256(one.read_bytes()).hexdigest() for one in (image, again)]
    assert digests[0] == digests[1]


def test_its_release_runs_where_there_is_no_python(image: Path, tmp_path: Path) -> None:
    """The bundle brings a Python that runs `kontain` and krun on a node without one."""
    with tarfile.open(fileobj=io.BytesIO(bundle(image))) as archive:
        archive.extractall(tmp_path)  # noqa: S202  made by this test
    release = tmp_path / f"kontain-{VERSION}/release"
    assert "python/bin/python3" in (release / "MANIFEST").read_text()
    own = release / "python"
    loader = [own / "lib/ld-linux-x86-64.so.2", "--library-path", own / "lib"]
    kontain = [*loader, own / "bin/python3", "-IS", release / "bin/kontain"]
    unshare = ["unshare", "--mount", "sh", "-ec", NO_PYTHON, "sh"]
    for words in (
        [*kontain, "--version"],
        [*kontain, "info", "--json"],
        [*kontain, "check", "--list"],
        [release / "bin/krun", "--version"],
    ):
        done = subprocess.run(
            [*unshare, *map(str, words)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
