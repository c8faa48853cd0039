# SPDX-License-Identifier: Apache-2.0
"""An archive for the report of a problem: a host's facts and Kontain's changes, no secrets."""

from __future__ import annotations

import io
import json
import os
import re
import tarfile
import time
from pathlib import Path
from typing import Any, Dict, List, Mapping, Match

from . import explain, looks
from .host import CONFIG, Host
from .journal import JOURNAL

_FILES = (
    *("/etc/os-release", "/proc/version", "/proc/cmdline", "/proc/modules", "/proc/mounts"),
    *("/proc/self/cgroup", f"{CONFIG}/krun.json", JOURNAL),
    *(path for engine in looks.engines.ENGINES for path in engine.configurations),
)
_FOLDERS = (
    *(path for engine in looks.engines.ENGINES for path in engine.folders),
    "/var/log/kontain",
)
_LARGEST = 1 << 20  # bytes of a file, from its end
_REMOVED = "(removed)"

_NAME = (
    r"[\w.-]*(?:pass(?:word|wd|phrase)?|secret|token|credential|api[_-]?key|access[_-]?key"
    r"|private[_-]?key|auth)[\w.-]*"
)
_SECRETS = (
    re.compile(  # the user and password of a URL
        r"(?P<before>\b[a-z][a-z0-9+.-]*://)[^/\s\"'@]+(?=@)", re.IGNORECASE
    ),
    re.compile(  # a private key in PEM
        r"(?P<before>-----BEGIN [A-Z ]*PRIVATE KEY-----).*?(?=-----END|\Z)", re.DOTALL
    ),
    re.compile(  # Authorization: Bearer …
        r"(?P<before>\b(?:bearer|basic)\s+)[\w.~+/=-]+", re.IGNORECASE
    ),
    re.compile(  # name = value, "name": "value", --name value; a list or an object as a whole
        rf"(?P<before>[\"']?\b{_NAME}[\"']?\s*[=:]\s*)"
        r"(?:\"(?:\\.|[^\"\\])*\"|'[^']*'|\[[^\]]*\]|\{[^}]*\}|[^\s,;&]+)",
        re.IGNORECASE,
    ),
    re.compile(rf"(?P<before>--{_NAME}\s+)(?:\"[^\"]*\"|'[^']*'|[^\s-]\S*)", re.IGNORECASE),
)


def stamp() -> str:
    """Return the time as a part of a file's name."""
    return time.strftime("%Y%m%d-%H%M%S", time.gmtime())


def write(host: Host, file: Path, checks: Dict[str, Any], more: Mapping[str, str]) -> List[str]:
    """Write the archive `file`, which only its owner may read; return the names in it.

    `checks` is the report of the checks, and `more` has texts by their names. Never in it: before-images, environments, containers'
    contents; of other files, what looks like a secret, and the host's name.
    """
    contents = {
        "check.json": json.dumps(checks, indent=2),
        "info.json": json.dumps(explain.info(host), indent=2),
        **more,
    }
    for path in [*_FILES, *_listed(host)]:
        place = host.path(path)
        if place.is_file():
            contents[path.lstrip("/")] = _tail(place)
    fd = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    with open(fd, "wb") as stream, tarfile.open(fileobj=stream, mode="w:gz") as archive:  # noqa: PTH123  a descriptor
        for name, text in contents.items():
            content = redact(text, os.uname().nodename).encode()
            member = tarfile.TarInfo(f"kontain-support/{name}")
            member.size, member.mtime, member.mode = len(content), int(time.time()), 0o600
            archive.addfile(member, io.BytesIO(content))
    return list(contents)


def redact(text: str, name: str = "") -> str:
    """Return the text without what looks like a secret, and without the host's `name`."""
    for pattern in _SECRETS:
        text = pattern.sub(lambda match: match["before"] + _quoted(match), text)
    if name:
        text = re.sub(rf"(?<![\w-]){re.escape(name)}(?![\w-])", "HOST", text)
    return text


def _quoted(match: Match[str]) -> str:
    """Return what takes a secret's place; a string stays one, so that JSON stays JSON."""
    value = match[0][len(match["before"]) :]
    quote = value[:1] if value[:1] in ("'", '"') else ""
    if value[:1] in ("[", "{"):
        quote = '"'
    return f"{quote}{_REMOVED}{quote}"


def _listed(host: Host) -> List[str]:
    return [
        f"{folder}/{place.name}"
        for folder in _FOLDERS
        if host.path(folder).is_dir()
        for place in sorted(host.path(folder).iterdir())
    ]


def _tail(place: Path) -> str:
    """Return the end of a file; one of /proc has no size."""
    try:
        with place.open("rb") as file:
            size = place.stat().st_size
            file.seek(max(0, size - _LARGEST))
            return file.read(_LARGEST).decode(errors="replace")
    except OSError as error:
        return f"{place}: {error.strerror}\n"
