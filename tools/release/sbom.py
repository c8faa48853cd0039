# SPDX-License-Identifier: Apache-2.0
"""The bill of materials of a release, as SPDX 2.3 in JSON: every file, and what is linked into it."""

import hashlib
import json
import os
import subprocess
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

from .bundle import MTIME, Tree

LICENCE = "Apache-2.0"
MUSL = "SPDXRef-Package-musl"
RELEASE = "SPDXRef-Package-kontain"
LINKED_WITH_MUSL = ("bin/km", "share/hello.km")
HOME = "https://github.com/kontainapp/platform"
NAMESPACE = f"{HOME}/spdx"


def sbom(release: Tree, version: str, created: int, bundle: bytes) -> bytes:
    """Return the document of a RELEASE and the file BUNDLE; the same release gives the same bytes."""
    files = [file_entry(path, contents) for path, (contents, _) in sorted(release.items())]
    digest = hashlib.sha256(release["MANIFEST"][0]).hexdigest()
    time = datetime.fromtimestamp(created, timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
    document = {
        "spdxVersion": "SPDX-2.3",
        "dataLicense": "CC0-1.0",
        "SPDXID": "SPDXRef-DOCUMENT",
        "name": f"kontain-{version}-x86_64",
        "documentNamespace": f"{NAMESPACE}/kontain-{version}-{digest}",
        "creationInfo": {"created": time, "creators": ["Tool: tools/release/dist.py"]},
        "packages": [package(version, files, bundle), musl()],
        "files": files,
        "relationships": relationships(files),
    }
    return (json.dumps(document, indent=1) + "\n").encode()


def file_entry(path: str, contents: bytes) -> "dict[str, Any]":
    """Return what SPDX says of a file."""
    sums = {
        "SHA1": hashlib.sha1(contents, usedforsecurity=False),
        "SHA256": hashlib.sha256(contents),
    }
    return {
        "SPDXID": "SPDXRef-File-" + hashlib.sha256(path.encode()).hexdigest()[:16],
        "fileName": f"./{path}",
        "checksums": [
            {"algorithm": name, "checksumValue": value.hexdigest()} for name, value in sums.items()
        ],
        "licenseConcluded": LICENCE,
        "licenseInfoInFiles": [LICENCE],
        "copyrightText": "NOASSERTION",
    }


def package(version: str, files: "list[dict[str, Any]]", bundle: bytes) -> "dict[str, Any]":
    """Return the release as a package; its code is the sum of its files' sums, as SPDX 7.9 has it."""
    sums = sorted(file["checksums"][0]["checksumValue"] for file in files)
    code = hashlib.sha1("".join(sums).encode(), usedforsecurity=False).hexdigest()
    return {
        "SPDXID": RELEASE,
        "name": "kontain",
        "versionInfo": version,
        "packageFileName": f"kontain-{version}-x86_64.tar.gz",
        "downloadLocation": HOME,
        "checksums": [
            {"algorithm": "SHA256", "checksumValue": hashlib.sha256(bundle).hexdigest()}
        ],
        "filesAnalyzed": True,
        "packageVerificationCode": {"packageVerificationCodeValue": code},
        "licenseConcluded": LICENCE,
        "licenseDeclared": LICENCE,
        "licenseInfoFromFiles": [LICENCE],
        "copyrightText": "NOASSERTION",
        "primaryPackagePurpose": "APPLICATION",
    }


def musl() -> "dict[str, Any]":
    """Return the C library that km and the hello payload are linked with."""
    query = ["dpkg-query", "--show", "--showformat=${Version}", "musl-dev"]
    try:
        version = subprocess.run(query, check=True, capture_output=True, text=True).stdout
    except (OSError, subprocess.CalledProcessError):  # no Debian
        version = "NOASSERTION"
    return {
        "SPDXID": MUSL,
        "name": "musl",
        "versionInfo": version,
        "downloadLocation": "https://musl.libc.org/",
        "filesAnalyzed": False,
        "licenseConcluded": "MIT",
        "licenseDeclared": "MIT",
        "copyrightText": "NOASSERTION",
    }


def relationships(files: "list[dict[str, Any]]") -> "list[dict[str, str]]":
    """Return what belongs to what."""
    linked = [file["SPDXID"] for file in files if file["fileName"][2:] in LINKED_WITH_MUSL]
    return [
        related("SPDXRef-DOCUMENT", "DESCRIBES", RELEASE),
        *(related(RELEASE, "CONTAINS", file["SPDXID"]) for file in files),
        *(related(file, "STATIC_LINK", MUSL) for file in linked),
    ]


def related(this: str, how: str, that: str) -> "dict[str, str]":
    """Return one relationship."""
    return {"spdxElementId": this, "relationshipType": how, "relatedSpdxElement": that}


def time_of_sources(root: Path) -> int:
    """Return the time that a document of these sources bears, in seconds since 1970.

    It is SOURCE_DATE_EPOCH, or that of the last commit, or one time for all.
    """
    if "SOURCE_DATE_EPOCH" in os.environ:
        return int(os.environ["SOURCE_DATE_EPOCH"])
    log = ["git", "-C", str(root), "log", "-1", "--format=%ct"]
    try:
        return int(subprocess.run(log, check=True, capture_output=True, text=True).stdout)
    except (OSError, ValueError, subprocess.CalledProcessError):
        return MTIME
