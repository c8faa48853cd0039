# SPDX-License-Identifier: Apache-2.0
"""An image's contents: a bill of materials for programs, and a list of files for people."""

from __future__ import annotations

import hashlib
import json
import stat
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from .apt import Package
from .tree import Node, Tree

_CREATED = "1980-01-01T00:00:00Z"  # as the image, so that the same image has the same bill


@dataclass(frozen=True)
class Software:
    """Software in an image that is of no package: a file, by its SHA-256, with the name of what it is."""

    name: str
    version: str
    licence: str  # an SPDX expression
    home: str
    file: str
    digest: str


def used_packages(tree: Tree, packages: list[Package]) -> list[Package]:
    """Return those of PACKAGES that TREE has files of."""
    names = {node.package for node in tree.values()}
    return [package for package in packages if package.name in names]


def add_control(tree: Tree, parent: Tree, packages: list[Package]) -> Tree:
    """Return TREE with what scanners of images read: a control file for each of its packages.

    Those that PARENT has are not repeated.
    """
    used = {f"var/lib/dpkg/status.d/{one.name}": one for one in used_packages(tree, packages)}
    own = {path: Node(data=one.control.encode()) for path, one in used.items()}
    return {**tree, **{path: node for path, node in own.items() if path not in parent}}


def make_sbom(
    name: str,
    digest: str,
    distribution: str,
    packages: list[Package],
    software: Sequence[Software] = (),
) -> str:
    """Return an SPDX 2.3 document of an image and what is in it, for the archive's SHA-256 DIGEST.

    The document describes the image, and the software that the image is made for.
    """
    own = [_software(one) for one in software]
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": name,
        "documentNamespace": f"https://github.com/kontainapp/platform/sbom/{name}-{digest}",
        "creationInfo": {"created": _CREATED, "creators": ["Tool: kontain image build"]},
        "packages": [
            _image(name, digest),
            *own,
            *(_package(one, distribution) for one in packages),
        ],
        "relationships": [
            _relation("SPDXRef-DOCUMENT", "DESCRIBES", "SPDXRef-Image"),
            *(_relation("SPDXRef-DOCUMENT", "DESCRIBES", one["SPDXID"]) for one in own),
            *(_relation("SPDXRef-Image", "CONTAINS", one["SPDXID"]) for one in own),
            *(_relation("SPDXRef-Image", "CONTAINS", _id(one)) for one in packages),
        ],
    }
    return json.dumps(document, indent=2) + "\n"


def list_files(tree: Tree) -> str:
    """Return a line for each path of TREE, as `ls -l` has it, with the package it came from."""
    return "".join(_line(path, tree[path]) for path in sorted(tree))


def _line(path: str, node: Node) -> str:
    kind = stat.S_IFDIR if node.folder else stat.S_IFLNK if node.target else stat.S_IFREG
    mode = stat.filemode(kind | (0o777 if node.target else node.mode))
    leads = f" -> {node.target}" if node.target else ""
    return f"{mode} {len(node.data):>10} {node.package or '-':<24} /{path}{leads}\n"


def _image(name: str, digest: str) -> dict[str, Any]:
    return {
        "SPDXID": "SPDXRef-Image",
        "name": name,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "primaryPackagePurpose": "CONTAINER",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
    }


def _software(one: Software) -> dict[str, Any]:
    return {
        "SPDXID": f"SPDXRef-Software-{one.name}",
        "name": one.name,
        "versionInfo": one.version,
        "packageFileName": one.file,
        "downloadLocation": one.home,
        "filesAnalyzed": False,
        "primaryPackagePurpose": "APPLICATION",
        "licenseConcluded": one.licence,
        "licenseDeclared": one.licence,
        "copyrightText": "NOASSERTION",
        "checksums": [{"algorithm": "SHA256", "checksumValue": one.digest}],
    }


def _package(package: Package, distribution: str) -> dict[str, Any]:
    url = (
        f"pkg:deb/{distribution}/{quote(package.name)}@{quote(package.version)}"
        f"?arch={package.architecture}"
    )
    locator = {"referenceCategory": "PACKAGE-MANAGER", "referenceType": "purl"}
    digest = hashlib.sha256(package.file.read_bytes()).hexdigest()
    return {
        "SPDXID": _id(package),
        "name": package.name,
        "versionInfo": package.version,
        "downloadLocation": "NOASSERTION",
        "filesAnalyzed": False,
        "homepage": package.homepage or "NOASSERTION",
        "sourceInfo": f"built from the source package {package.source}",
        "checksums": [{"algorithm": "SHA256", "checksumValue": digest}],
        "externalRefs": [{**locator, "referenceLocator": url}],
    }


def _relation(one: str, kind: str, other: str) -> dict[str, str]:
    return {"spdxElementId": one, "relationshipType": kind, "relatedSpdxElement": other}


def _id(package: Package) -> str:
    return f"SPDXRef-Package-{package.name.replace('+', '.')}"
