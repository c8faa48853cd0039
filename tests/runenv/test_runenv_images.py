# SPDX-License-Identifier: Apache-2.0
"""An image's contents: the payload's needs and no more, the same bytes each time, its bills."""

from __future__ import annotations

import io
import json
import tarfile

import pytest

from kontain_host.errors import HostError
from kontain_runenv.bill import list_files, make_sbom
from kontain_runenv.build import Builder, Image, write_image
from kontain_runenv.elf import read_needs
from kontain_runenv.recipes import RECIPES
from kontain_runenv.tree import matches, normalise, resolve

from .support import image

pytestmark = pytest.mark.slow

PROGRAMS = {
    "base": set(),
    "dynamic-base": set(),
    "python3": {"usr/bin/python3.11"},
    "node": {"usr/bin/node"},
    "java17": {"usr/lib/jvm/java-17/bin/java", "usr/lib/jvm/java-17/lib/jspawnhelper"},
}


@pytest.fixture(params=list(RECIPES))
def built(request: pytest.FixtureRequest) -> Image:
    """Return each image in turn."""
    return image(request.param)


def test_no_other_program(built: Image) -> None:
    """An image has its language's program, and neither a shell, nor a package manager, nor km."""
    programs = {
        path
        for path, node in built.tree.items()
        if (needs := read_needs(node.data)) and needs.loader and ".so" not in path
    }

    assert programs == PROGRAMS[built.recipe.name]
    scripts = [path for path, node in built.tree.items() if node.data.startswith(b"#!/bin/")]
    assert not [path for path in scripts if built.tree[path].mode & 0o100]


def test_needs_are_met(built: Image) -> None:
    """Every library and loader that a file of an image needs is in the image."""
    names = {path.rpartition("/")[2] for path in built.tree}
    for path, node in built.tree.items():
        needs = read_needs(node.data)
        for library in needs.libraries if needs else ():
            assert library in names, f"{path} needs {library}"
        if needs and needs.loader:
            assert normalise(needs.loader) in built.tree, f"{path} needs {needs.loader}"


def test_links_lead_somewhere(built: Image) -> None:
    """A link leads to a file of the image, but for the host's time zone."""
    folders = {"/".join(path.split("/")[:end]) for path in built.tree for end in range(1, 9)}
    for path, node in built.tree.items():
        if node.target and path != "usr/share/zoneinfo/localtime":
            last = built.tree[resolve(built.tree, path)[-1]]
            target = normalise(f"{path}/../{last.target}")
            assert not last.target or target in folders, f"{path} leads to {node.target}"


def test_nothing_is_writable_by_others(built: Image) -> None:
    """Nothing but the two folders for temporary files can be written to by everybody."""
    writable = {path for path, node in built.tree.items() if node.mode & 0o022}

    assert writable == {"tmp", "var/tmp"}
    assert not [path for path, node in built.tree.items() if node.mode & 0o6000]


def test_archive_has_both_manifests(built: Image) -> None:
    """The archive is an OCI layout, and docker's manifest in it leads to the same blobs."""
    with tarfile.open(fileobj=io.BytesIO(built.archive)) as archive:
        files = {one.name: archive.extractfile(one).read() for one in archive}  # type: ignore[union-attr]
    index = json.loads(files["index.json"])["manifests"][0]
    manifest = json.loads(files[f"blobs/{index['digest'].replace(':', '/')}"])
    config = json.loads(files[f"blobs/{manifest['config']['digest'].replace(':', '/')}"])
    (docker,) = json.loads(files["manifest.json"])

    assert docker["RepoTags"] == [f"localhost/kontain/{built.recipe.name}:latest"]
    assert docker["Config"] == f"blobs/{manifest['config']['digest'].replace(':', '/')}"
    assert docker["Layers"] == [
        f"blobs/{layer['digest'].replace(':', '/')}" for layer in manifest["layers"]
    ]
    assert config["config"]["User"] == "65532:65532"
    assert config["config"]["Labels"]["org.opencontainers.image.version"] == built.version
    assert len(config["rootfs"]["diff_ids"]) == len(manifest["layers"])


def test_bill_names_every_package() -> None:
    """The SBOM, the image's own control files and the list of files name the same packages."""
    built = image("python3")
    sbom = json.loads(make_sbom("python3", built.digest, "debian", built.packages))
    named = {one["name"]: one["versionInfo"] for one in sbom["packages"] if "versionInfo" in one}
    folder = "var/lib/dpkg/status.d/"
    inside = {path[len(folder) :] for path in built.tree if path.startswith(folder)}
    of_files = {line.split()[2] for line in list_files(built.tree).splitlines()} - {"-"}

    assert set(named) == inside == of_files
    assert named["python3.11-minimal"].startswith("3.11.")
    assert all(
        f"usr/share/doc/{name}" in built.tree
        or matches(f"usr/share/doc/{name}/copyright", tuple(built.tree))
        for name in named
    )


@pytest.mark.parametrize("name", ["python3", "java17"])
def test_same_packages_make_the_same_bytes(name: str) -> None:
    """Another build of an image gives the same archive, compiled modules and linked JRE included."""
    assert Builder().build(RECIPES[name]).digest == image(name).digest


def test_bytecode_is_valid_whatever_the_time_of_its_source() -> None:
    """Every module is compiled, and by PEP 552's flags nothing is compared with its source."""
    tree = image("python3").tree
    compiled = {path: node for path, node in tree.items() if path.endswith(".pyc")}

    assert len(compiled) == len(
        [path for path in tree if path.endswith(".py") and "/lib/" in path]
    )
    assert {node.data[4:8] for node in compiled.values()} == {(1).to_bytes(4, "little")}


def test_layers_are_shared() -> None:
    """Images have their parents' layers, so that an engine keeps these once."""
    with tarfile.open(fileobj=io.BytesIO(image("dynamic-base").archive)) as archive:
        parents = {name for name in archive.getnames() if name.startswith("blobs/")}
    with tarfile.open(fileobj=io.BytesIO(image("node").archive)) as archive:
        names = set(archive.getnames())

    assert len(parents & names) == 2


def test_files_are_written_whole(tmp_path) -> None:  # type: ignore[no-untyped-def]  # noqa: ANN001
    """A build writes the archive, the SBOM and the list of files, and leaves nothing else."""
    write_image(image("base"), tmp_path / "new")

    names = {path.name: path.stat().st_mode & 0o777 for path in (tmp_path / "new").iterdir()}
    assert names == {"base.tar": 0o644, "base.spdx.json": 0o644, "base.files": 0o644}


def test_package_gives_its_program_and_what_it_needs() -> None:
    """An image of a package has its program, what a link leads to, its libraries, and no other program."""
    redis = image("redis-server")
    programs = {path for path in redis.tree if path.startswith(("usr/bin/", "usr/sbin/"))}

    assert programs == {"usr/bin/redis-server", "usr/bin/redis-check-rdb"}
    assert redis.tree["usr/bin/redis-server"].target == "redis-check-rdb"
    assert any(path.rpartition("/")[2].startswith("libjemalloc.so") for path in redis.tree)
    assert redis.reference == "localhost/kontain/redis-server:latest"


def test_program_that_a_package_lacks_is_named() -> None:
    """A program that is not in the package is an error that names it."""
    with pytest.raises(HostError, match="none of the image's packages has usr/bin/netbase"):
        image("netbase")
