# SPDX-License-Identifier: Apache-2.0
"""An HTTP server on port 8080, of Python's standard library, with a thread for each connection."""

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ANSWER = b"Hello from Python\n"


class Handler(BaseHTTPRequestHandler):
    """Answers every GET alike."""

    protocol_version = "HTTP/1.1"  # connections stay open

    def do_GET(self) -> None:
        """Send the answer."""
        self.send_response(200)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(ANSWER)))
        self.end_headers()
        self.wfile.write(ANSWER)

    def log_message(self, *_: object) -> None:
        """Log nothing: a line for each request would be most of the work."""


ThreadingHTTPServer(("", 8080), Handler).serve_forever()
