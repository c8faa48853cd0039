# SPDX-License-Identifier: Apache-2.0
"""A web application of Flask, for gunicorn: `python3 -m gunicorn app:app`."""

from flask import Flask

app = Flask(__name__)


@app.get("/")  # type: ignore[untyped-decorator]  # its types come with it
def hello() -> str:
    """Answer in one of gunicorn's worker processes; each is a virtual machine."""
    return "Hello from Flask\n"
