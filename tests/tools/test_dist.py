# SPDX-License-Identifier: Apache-2.0
"""The output of `make dist`."""

import hashlib
import json
import os
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from tests.sources import pack_sources
from tools.release import dist
from tools.release.bundle import ROOT, BundleError
from tools.release.dist import Key

BUNDLE = "kontain-1.2.3-x86_64.tar.gz"


def write(release: "dict[str, bytes]", folder: Path) -> None:
    """Write the files of a release."""
    for name, contents in release.items():
        (folder / name).write_bytes(contents)


def test_sums_are_signed_and_right(release: "dict[str, bytes]", tmp_path: Path) -> None:
    """sha256sum and openssl alone verify a release as it is published."""
    write(release, tmp_path)
    subprocess.run(["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, check=True)
    verify = ["openssl", "dgst", "-sha256", "-verify", "release.pub"]
    subprocess.run(
        [*verify, "-signature", "SHA256SUMS.sig", "SHA256SUMS"], cwd=tmp_path, check=True
    )

    listed = {line.split()[1] for line in release["SHA256SUMS"].decode().splitlines()}
    assert listed == set(release) - {"SHA256SUMS", "SHA256SUMS.sig"}


def test_a_signed_bundle_is_a_tarball(release: "dict[str, bytes]", tmp_path: Path) -> None:
    """The signed manifest at its end disturbs neither gzip nor tar nor Python's reader."""
    write(release, tmp_path)
    subprocess.run(["gzip", "--test", BUNDLE], cwd=tmp_path, check=True)
    said = subprocess.run(["tar", "-tzf", BUNDLE], cwd=tmp_path, check=True, capture_output=True)
    assert said.stderr == b""
    with tarfile.open(tmp_path / BUNDLE) as archive:
        assert archive.getnames() == [
            line.rstrip("/") for line in said.stdout.decode().splitlines()
        ]


def test_the_script_is_whole(release: "dict[str, bytes]", key: Key, tmp_path: Path) -> None:
    """The published install.sh has the version, the key and the program; and so has the bundle's."""
    write(release, tmp_path)
    text = release["install.sh"].decode()

    for shell in ("dash", "bash"):
        subprocess.run([shell, "-n", tmp_path / "install.sh"], check=True)
    said = subprocess.run(
        ["sh", tmp_path / "install.sh", "--version"], check=True, capture_output=True, text=True
    )
    assert said.stdout == "1.2.3\n"
    assert f"RELEASE_KEY='{key.public}'" in text
    assert "tools/release/take_bundle.py" not in text
    with tarfile.open(tmp_path / BUNDLE) as archive:
        inside = archive.extractfile("kontain-1.2.3/install.sh")
        assert inside is not None
        assert inside.read() == release["install.sh"]


def test_a_release_and_its_collection_carry_the_key(
    release: "dict[str, bytes]", tmp_path: Path
) -> None:
    """A release's installation judges the next by the same key, and so does its collection."""
    write(release, tmp_path)
    with tarfile.open(tmp_path / BUNDLE) as archive:
        inside = archive.extractfile("kontain-1.2.3/release/share/release.pub")
        assert inside is not None
        assert inside.read() == release["release.pub"]
    with tarfile.open(tmp_path / "kontain-platform-1.2.3.tar.gz") as archive:
        inside = archive.extractfile("meta/release.pub")
        assert inside is not None
        assert inside.read() == release["release.pub"]


def test_the_place_of_releases_can_be_another(key: Key) -> None:
    """RELEASE_URL is where the published script looks; it stands in one place."""
    text = dist.install_script("1.2.3", key.public, "https://mirror.example/%s").decode()

    assert text.count("RELEASE_URL='https://mirror.example/%s'\n") == 1
    assert "github.com/kontainapp/platform/releases" not in text


def test_bill_of_materials(release: "dict[str, bytes]", tmp_path: Path) -> None:
    """The SPDX document names every file of the release with its sums, and musl in km."""
    write(release, tmp_path)
    document = json.loads(release["kontain-1.2.3.spdx.json"])
    with tarfile.open(tmp_path / BUNDLE) as archive:
        files = [member for member in archive if "/release/" in member.name and member.isfile()]
        sums = {f"./{f.name.split('/', 2)[2]}": read_sum(archive, f) for f in files}

    assert document["spdxVersion"] == "SPDX-2.3"
    assert {f["fileName"]: f["checksums"][1]["checksumValue"] for f in document["files"]} == sums
    ids = {f["SPDXID"]: f["fileName"] for f in document["files"]}
    links = [r for r in document["relationships"] if r["relationshipType"] == "STATIC_LINK"]
    assert sorted(ids[link["spdxElementId"]] for link in links) == ["./bin/km", "./share/hello.km"]
    (kontain,) = (one for one in document["packages"] if one["name"] == "kontain")
    assert (kontain["versionInfo"], kontain["licenseDeclared"]) == ("1.2.3", "Apache-2.0")
    digest = hashlib.sha256(release[kontain["packageFileName"]]).hexdigest()
    assert kontain["checksums"] == [{"algorithm": "SHA256", "checksumValue": digest}]
    assert {
        "spdxElementId": "SPDXRef-DOCUMENT",
        "relationshipType": "DESCRIBES",
        "relatedSpdxElement": kontain["SPDXID"],
    } in document["relationships"]


def read_sum(archive: tarfile.TarFile, member: tarfile.TarInfo) -> str:
    """Return the SHA-256 of a member."""
    stream = archive.extractfile(member)
    assert stream is not None
    return hashlib.sha256(stream.read()).hexdigest()


def test_other_keys_are_refused(tmp_path: Path) -> None:
    """A key that install.sh could not judge by is refused before anything is made."""
    for name, options in (
        ("short", ["RSA", "-pkeyopt", "rsa_keygen_bits:2048"]),
        ("ed", ["ED25519"]),
    ):
        (tmp_path / name).write_bytes(Key.openssl("genpkey", "-algorithm", *options))
        with pytest.raises(BundleError):
            Key(tmp_path / name)


@pytest.mark.slow
def test_two_clones_make_the_same_release(key: Key, tmp_path: Path) -> None:
    """Two clones in two places with one key make the same bytes, signatures too."""
    packed = pack_sources()
    made = []
    for place in (tmp_path / "one", tmp_path / "another/place"):
        place.mkdir(parents=True)
        subprocess.run(["tar", "-x"], cwd=place, input=packed, check=True)
        for built in (
            "km/km",
            "krun",
            "toolchain",
            "hello.km",
        ):  # test_make_bundle.py is about these
            (place / "build" / built).parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(
                ["cp", "-a", ROOT / "build" / built, place / "build" / built], check=True
            )
        galaxy = [f"{Path(sys.executable).parent}/ansible-galaxy", "collection", "build"]
        subprocess.run([*galaxy, "--output-path", "build"], cwd=place, check=True)
        (tarball,) = (place / "build").glob("kontain-platform-*.tar.gz")
        environment = os.environ | {
            "SOURCE_DATE_EPOCH": "1700000000",
            "RELEASE_KEY": str(key.path),
            "PYTHONPATH": "host",
        }
        command = [sys.executable, "-m", "tools.release.dist", "1.2.3", str(tarball)]
        subprocess.run(command, cwd=place, check=True, env=environment)
        made.append({path.name: path.read_bytes() for path in (place / "build/dist").iterdir()})

    assert len(made[0]) == 7
    assert made[0] == made[1]
