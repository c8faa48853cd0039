# SPDX-License-Identifier: Apache-2.0
"""A containerd that says its version, and what it makes of its files as each version merges them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import tomllib

from .small_host import SmallHost

GRPC, RUNTIME = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"
BUILT_IN = {"runc": {"runtime_type": "io.containerd.runc.v2"}}


def containerd(host: SmallHost, version: str) -> Callable[[Sequence[str]], tuple[int, str]]:
    """Return what answers as the program containerd that says `version`."""
    found = re.search(r"\sv?(\d+)\.", version)
    deep = bool(found) and int(found[1]) >= 2  # type: ignore[index]

    def answer(command: Sequence[str]) -> tuple[int, str]:
        if "config" not in command:
            return 0, version
        loaded: dict[str, Any] = {}
        if "dump" in command:
            load(host, Path(command[command.index("--config") + 1]), loaded, deep=deep)
        plugins = loaded.setdefault("plugins", {})
        name = RUNTIME if deep else GRPC
        for old in ("cri", *([GRPC] if deep else [])):
            if old in plugins:
                plugins[name] = plugins.pop(old)
        cri = plugins.setdefault(name, {}).setdefault("containerd", {})
        cri.setdefault("default_runtime_name", "runc")
        built_in = BUILT_IN if deep or "runtimes" not in cri else {}
        cri["runtimes"] = {**built_in, **cri.get("runtimes", {})}
        return 0, toml({**loaded, "version": 3 if deep else 2})

    return answer


def load(host: SmallHost, file: Path, into: dict[str, Any], *, deep: bool) -> None:
    """Load a file and what it imports."""
    read = tomllib.loads(file.read_text())
    merge(into, read, 99 if deep else 1)
    for pattern in read.get("imports", []):
        folder = Path(host.root) if pattern.startswith("/") else file.parent
        for place in sorted(folder.glob(pattern.lstrip("/"))):
            load(host, place, into, deep=deep)


def merge(into: dict[str, Any], extra: dict[str, Any], depth: int) -> None:
    """Merge tables to a depth; deeper ones are replaced."""
    for key, value in extra.items():
        if isinstance(value, dict) and depth:
            merge(into.setdefault(key, {}), value, depth - 1)
        else:
            into[key] = value


def toml(table: dict[str, Any], path: str = "") -> str:
    """Return a table as TOML."""
    values = [
        f"{key} = {json.dumps(one)}" for key, one in table.items() if not isinstance(one, dict)
    ]
    text = "\n".join([f"[{path}]" if path else "", *values, ""])
    for key, one in table.items():
        if isinstance(one, dict):
            text += toml(one, f"{path}.{json.dumps(key)}".lstrip("."))
    return text
