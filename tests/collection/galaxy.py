# SPDX-License-Identifier: Apache-2.0
"""A server that answers ansible-galaxy as Galaxy does, for one collection (its API, version 3)."""

from __future__ import annotations

import hashlib
import http.server
import json
import tarfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

_API = "/api/v3/collections/kontain/platform/"


@contextmanager
def serving(artifact: Path) -> Iterator[str]:
    """Serve a collection's tarball; give the URL for ansible-galaxy's --server."""
    content = artifact.read_bytes()
    with tarfile.open(artifact) as tar:
        stream = tar.extractfile("MANIFEST.json")
        assert stream
        version = json.load(stream)["collection_info"]["version"]

    class Handler(http.server.BaseHTTPRequestHandler):
        """Answers for this collection, and 404 for all else."""

        def do_GET(self) -> None:
            """Answer by the path."""
            path = self.path.partition("?")[0]
            if path == f"/{artifact.name}":
                self._send(content, "application/gzip")
                return
            found = answer(path)
            text = json.dumps(found or {"errors": [{"detail": "Not found."}]})
            self._send(text.encode(), "application/json", 200 if found else 404)

        def _send(self, body: bytes, kind: str, status: int = 200) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_port}"

    def answer(path: str) -> Any:
        one = {"version": version, "href": f"{_API}versions/{version}/"}
        return {
            "/api/": {"available_versions": {"v3": "v3/"}},
            _API: {"namespace": "kontain", "name": "platform", "highest_version": one},
            f"{_API}versions/": {"meta": {"count": 1}, "links": {"next": None}, "data": [one]},
            f"{_API}versions/{version}/": {
                **one,
                "namespace": {"name": "kontain"},
                "name": "platform",
                "collection": {"name": "platform"},
                "download_url": f"{url}/{artifact.name}",
                "artifact": {"sha256": hashlib.sha256(content).hexdigest(), "size": len(content)},
                "metadata": {"dependencies": {}},
                "signatures": [],
            },
        }.get(path)

    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"{url}/api/"
    finally:
        server.shutdown()
        server.server_close()
