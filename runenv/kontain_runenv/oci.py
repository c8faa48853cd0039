# SPDX-License-Identifier: Apache-2.0
"""An image as one archive that every engine loads.

It is a tarball of an OCI image layout, with the `manifest.json` of docker's own archives: a docker
that knows no OCI layout (before 25) reads that one, and its paths lead to the same blobs.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from .layer import MTIME, Blob, Layer

_CREATED = "1980-01-01T00:00:00Z"  # as the files, layer.MTIME
_MANIFEST = "application/vnd.oci.image.manifest.v1+json"
_CONFIG = "application/vnd.oci.image.config.v1+json"
_LAYER = "application/vnd.oci.image.layer.v1.tar+gzip"


@dataclass(frozen=True)
class Settings:
    """How a container of the image starts, and what the image says of itself."""

    user: str
    entrypoint: tuple[str, ...]
    environment: Mapping[str, str]
    labels: Mapping[str, str]
    folder: str  # where it starts


def pack_image(reference: str, layers: list[tuple[str, Layer]], settings: Settings) -> bytes:
    """Return the archive of an image called REFERENCE; each layer has the words of its history."""
    config = _json(_config(layers, settings))
    manifest = _json(_manifest(config, [layer for _, layer in layers], settings))
    blobs = [config, manifest, *(layer.packed for _, layer in layers)]
    docker = {
        "Config": _path(config),
        "RepoTags": [reference],
        "Layers": [_path(layer.packed) for _, layer in layers],
    }
    files = {
        "oci-layout": _json({"imageLayoutVersion": "1.0.0"}).data,
        "index.json": _json(_index(reference, manifest)).data,
        "manifest.json": _json([docker]).data,
        **{_path(blob): blob.data for blob in blobs},
    }
    return _pack(files)


def _config(layers: list[tuple[str, Layer]], settings: Settings) -> dict[str, Any]:
    start: dict[str, Any] = {
        "User": settings.user,
        "Env": [f"{name}={value}" for name, value in settings.environment.items()],
        "WorkingDir": settings.folder,
        "Labels": dict(settings.labels),
    }
    if settings.entrypoint:
        start["Entrypoint"] = list(settings.entrypoint)
    return {
        "architecture": "amd64",
        "os": "linux",
        "created": _CREATED,
        "config": start,
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for _, layer in layers]},
        "history": [{"created": _CREATED, "created_by": words} for words, _ in layers],
    }


def _manifest(config: Blob, layers: list[Layer], settings: Settings) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": _MANIFEST,
        "config": _describe(config, _CONFIG),
        "layers": [_describe(layer.packed, _LAYER) for layer in layers],
        "annotations": dict(settings.labels),
    }


def _index(reference: str, manifest: Blob) -> dict[str, Any]:
    # The first is containers/image's name for an image, the second containerd's.
    names = {
        "org.opencontainers.image.ref.name": reference,
        "io.containerd.image.name": reference,
    }
    return {
        "schemaVersion": 2,
        "mediaType": "application/vnd.oci.image.index.v1+json",
        "manifests": [{**_describe(manifest, _MANIFEST), "annotations": names}],
    }


def _describe(blob: Blob, kind: str) -> dict[str, Any]:
    return {"mediaType": kind, "digest": blob.digest, "size": len(blob.data)}


def _path(blob: Blob) -> str:
    return f"blobs/{blob.digest.replace(':', '/')}"


def _json(value: object) -> Blob:
    return Blob(json.dumps(value, sort_keys=True, separators=(",", ":")).encode())


def _pack(files: dict[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for path, data in sorted(files.items()):
            info = tarfile.TarInfo(path)
            info.mtime, info.mode, info.size = MTIME, 0o644, len(data)
            archive.addfile(info, io.BytesIO(data))
    return packed.getvalue()
