# SPDX-License-Identifier: Apache-2.0
"""A web server of releases, made by `make dist`'s own code from what `make bundle` built."""

from __future__ import annotations

import functools
import http.server
import threading
from pathlib import Path
from typing import Iterator
from unittest import mock

from tools.release import bundle, dist


class Publisher:
    """Serves a folder on this machine, and makes releases in it."""

    def __init__(self, folder: Path, collection: Path) -> None:
        """Serve `folder`, with a signing key of its own."""
        self.folder = folder
        self.collection = collection
        options = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072"]
        (folder.parent / "key.pem").write_bytes(dist.Key.openssl("genpkey", *options))
        self.key = dist.Key(folder.parent / "key.pem")
        handler = functools.partial(_Quiet, directory=str(folder))
        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def publish(self, version: str, *, broken: bool = False) -> Path:
        """Make a release that fetches from here, and return its bundle.

        A `broken` one is whole and signed, but its payload of the proofs is none.
        """
        sources = {"README.md" if broken else "build/hello.km": "share/hello.km"}
        others = {path: place for path, place in bundle.FILES.items() if place != "share/hello.km"}
        with mock.patch.dict(bundle.FILES, others | sources, clear=True):
            made = dist.make_dist(version, self.collection, self.key, f"{self.url}/v%s")
        place = self.folder / f"v{version}"
        place.mkdir()
        for name, contents in made.items():
            (place / name).write_bytes(contents)
        return place / f"kontain-{version}-x86_64.tar.gz"

    def serving(self) -> Iterator[Publisher]:
        """Serve until the generator is closed."""
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        yield self
        self._server.shutdown()
        self._server.server_close()


class _Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None:
        """Say nothing."""
