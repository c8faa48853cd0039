# SPDX-License-Identifier: Apache-2.0
"""A podman that says its version, and which program it finds for a runtime in its files."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import tomllib

from .small_host import SmallHost

FILES = ("usr/share/containers", "etc/containers")


def podman_of(host: SmallHost, version: str) -> Callable[[Sequence[str]], tuple[int, str]]:
    """Return what answers as the program podman that says `version`."""

    def answer(command: Sequence[str]) -> tuple[int, str]:
        if "info" not in command:
            return 0, version
        runtimes: dict[str, Any] = {"crun": ["/usr/bin/crun"]}
        for folder in FILES:
            place = host.path(folder)
            for file in (
                place / "containers.conf",
                *sorted(place.glob("containers.conf.d/*.conf")),
            ):
                try:
                    read = tomllib.loads(file.read_text()) if file.is_file() else {}
                except tomllib.TOMLDecodeError as error:
                    return (
                        125,
                        f'time=x level=error msg="decode configuration {file}: toml: {error}"',
                    )
                runtimes.update(read.get("engine", {}).get("runtimes", {}))
        name = command[command.index("--runtime") + 1] if "--runtime" in command else "crun"
        if name not in runtimes:
            return 125, f'Error: default OCI runtime "{name}" not found: invalid argument'
        return 0, f"{runtimes[name][0]}\n"

    return answer
