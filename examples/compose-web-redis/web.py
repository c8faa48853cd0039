# SPDX-License-Identifier: Apache-2.0
"""A web service on port 8080 that counts its visits in redis, at the address in REDIS_URL."""

import os
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import redis

STORE = redis.Redis.from_url(os.environ.get("REDIS_URL", "redis://redis:6379"))


class Handler(BaseHTTPRequestHandler):
    """Answers every GET with the number of the visit."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Count, and send the count; 503 while redis cannot be reached."""
        try:
            status, answer = 200, f"Hello, visit {STORE.incr('visits')}\n".encode()
        except redis.ConnectionError:
            status, answer = 503, b"redis cannot be reached\n"
        self.send_response(status)
        self.send_header("Content-Type", "text/plain")
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_: object) -> None:
        """Log nothing: a line for each request would be most of the work."""


ThreadingHTTPServer(("", 8080), Handler).serve_forever()
