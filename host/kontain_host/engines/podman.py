# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in podman: one drop-in file, which root's and users' podman read."""

from __future__ import annotations

import re
from typing import Dict, Iterator, List, Tuple

from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host

OWNER = "podman"
DROP_IN = "/etc/containers/containers.conf.d/kontain.conf"

_CONFIGS = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_FOLDERS = ("/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d")
_OLDEST = (3, 3)  # the first that reads drop-in files: containers/common 0.40.0
_SECTION = re.compile(r"\s*\[\s*([^\]]+?)\s*\]")
_ENTRY = re.compile(r"""\s*["']?([\w.-]+)["']?\s*=\s*(.*)""")


def is_present(host: Host) -> bool:
    """Return whether this host has podman."""
    return host.which("podman") is not None


def plan(host: Host, names: List[str], path: str, *, replace: bool) -> List[Change]:
    """Return the change that registers the runtime at `path` under these names.

    The first name is a must: another runtime of that name is an error unless `replace`. Further
    names that are taken are left out.
    """
    _require_version(host)
    taken = dict(_configured(host))
    wanted = []
    for name in names:
        if path in taken.get(name, path) or replace:
            wanted.append(name)
        elif name == names[0]:
            raise HostError(
                f"cannot register the runtime {name} in {DROP_IN}",
                f"podman already has a runtime {name!r} with {taken[name]}, wanted {path!r}",
                "remove that entry, or allow to replace it (replace: true)",
            )
    reason = f"podman finds the runtimes {', '.join(wanted)}"
    return [File(DROP_IN, OWNER, reason, _content(wanted, path))]


def _content(names: List[str], path: str) -> bytes:
    lines = [
        "# Made by Kontain: `kontain why` says more about this file, `kontain uninstall` removes it.",
        "[engine.runtimes]",
        *(f'{name} = ["{path}"]' for name in names),
    ]
    return ("\n".join(lines) + "\n").encode()


def _require_version(host: Host) -> None:
    program = host.which("podman")
    if program is None:
        return
    answer = host.run([program, "--version"]).stdout
    match = re.search(r"(\d+)\.(\d+)", answer)
    if not match or (int(match[1]), int(match[2])) < _OLDEST:
        raise HostError(
            "cannot register a runtime in podman",
            f"`podman --version` says {answer.strip()!r}, wanted 3.3 or newer, "
            "which read drop-in files",
            "upgrade the package podman",
            HOST_REFUSED,
        )


def _configured(host: Host) -> Iterator[Tuple[str, str]]:
    """Yield name and text of the runtimes in the files that podman reads, but for our own.

    A reading of TOML that suffices for `[engine.runtimes]`, for its Python may be older than 3.11.
    """
    files = [host.path(config) for config in _CONFIGS]
    for folder in _FOLDERS:
        files += sorted(host.path(folder).glob("*.conf"))
    for file in files:
        if file != host.path(DROP_IN) and file.is_file():
            yield from _runtimes(file.read_text(errors="replace")).items()


def _runtimes(text: str) -> Dict[str, str]:
    text = re.sub(r"=\s*\[[^\[\]]*\]", lambda array: array[0].replace("\n", " "), text)
    section = ""
    found: Dict[str, str] = {}
    for line in text.splitlines():
        header, entry = _SECTION.match(line), _ENTRY.match(line)
        if header:
            section = re.sub(r"""[\s"']""", "", header[1])
        elif entry and section == "engine.runtimes":
            found[entry[1]] = entry[2]
        elif entry and section == "engine" and entry[1].startswith("runtimes."):
            found[entry[1].partition(".")[2]] = entry[2]
    return found
