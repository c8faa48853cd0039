# SPDX-License-Identifier: Apache-2.0
"""A release made of what `make bundle` has built, for the tests of what is shipped."""

import io
import tarfile
from pathlib import Path

import pytest

from tools.release import dist
from tools.release.bundle import ROOT
from tools.release.dist import Key


def make_key(folder: Path) -> Key:
    """Return a new private key."""
    options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]
    path = folder / "key.pem"
    path.write_bytes(Key.openssl("genpkey", *options))
    return Key(path)


@pytest.fixture(scope="session")
def key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """The key that the release is signed with."""
    return make_key(tmp_path_factory.mktemp("key"))


@pytest.fixture(scope="session")
def foreign_key(tmp_path_factory: pytest.TempPathFactory) -> Key:
    """The key of another publisher."""
    return make_key(tmp_path_factory.mktemp("foreign"))


@pytest.fixture(scope="session")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A tarball in the place of the collection's, which is none of the matters here."""
    path = tmp_path_factory.mktemp("collection") / "kontain-platform-1.2.3.tar.gz"
    with tarfile.open(path, "w:gz") as archive:
        archive.addfile(tarfile.TarInfo("MANIFEST.json"), io.BytesIO())
    return path


@pytest.fixture(scope="session")
def release(key: Key, collection: Path) -> "dict[str, bytes]":
    """Name and contents of each file of the release 1.2.3."""
    if not (ROOT / "build/km/km").exists():
        pytest.skip("needs what a release is made of: run `make bundle`")
    return dist.make_dist("1.2.3", collection, key, "")
