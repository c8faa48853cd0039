# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in podman: one drop-in file, which root's and users' podman read."""

from __future__ import annotations

import json
import re
from typing import Dict, Iterator, List, Tuple

from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host

OWNER = "podman"
DROP_IN = "/etc/containers/containers.conf.d/kontain.conf"

_CONFIGS = ("/usr/share/containers/containers.conf", "/etc/containers/containers.conf")
_FOLDERS = ("/usr/share/containers/containers.conf.d", "/etc/containers/containers.conf.d")
# What podman believes of a runtime goes by its name, and a list in a file replaces podman's own
# (containers.conf(5), where the last one has a plural that podman 4.3 does not read): these are its
# own lists, of all versions up to 5.
_SUPPORTS = {
    "json": ("crun", "crun-vm", "crun-wasm", "kata", "krun", "ocijail", "runc", "runsc", "youki"),
    "kvm": ("kata", "krun"),  # with SELinux, a container's processes may use KVM
    "nocgroup": ("crun", "crun-vm", "crun-wasm", "krun"),
}
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
    return [File(DROP_IN, OWNER, reason, _content(wanted, path, _beliefs(host, wanted)))]


def _beliefs(host: Host, names: List[str]) -> Dict[str, List[str]]:
    """Return podman's lists of runtimes that can do something, with NAMES and what files added."""
    found: Dict[str, List[str]] = {}
    for what, known in _SUPPORTS.items():
        option = f"runtime_supports_{what}"
        texts = [text for name, text in _entries(host, "engine") if name == option]
        listed = re.findall(r"""["']([^"']*)["']""", " ".join(texts))
        found[option] = sorted({*known, *listed, *names})
    return found


def _content(names: List[str], path: str, beliefs: Dict[str, List[str]]) -> bytes:
    lines = [
        "# Made by Kontain: `kontain why` says more about this file, `kontain uninstall` removes it.",
        "[engine]",
        *(f"{option} = {json.dumps(listed)}" for option, listed in beliefs.items()),
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
    """Yield name and text of the runtimes in the files that podman reads, but for our own."""
    yield from _entries(host, "engine.runtimes")
    for name, text in _entries(host, "engine"):
        if name.startswith("runtimes."):
            yield name.partition(".")[2], text


def _entries(host: Host, section: str) -> Iterator[Tuple[str, str]]:
    """Yield name and text of each entry of a section in the files that podman reads, but for our own.

    A reading of TOML that suffices for what we look at, for its Python may be older than 3.11.
    """
    files = [host.path(config) for config in _CONFIGS]
    for folder in _FOLDERS:
        files += sorted(host.path(folder).glob("*.conf"))
    for file in files:
        if file != host.path(DROP_IN) and file.is_file():
            yield from _section(file.read_text(errors="replace"), section)


def _section(text: str, wanted: str) -> Iterator[Tuple[str, str]]:
    text = re.sub(r"=\s*\[[^\[\]]*\]", lambda array: array[0].replace("\n", " "), text)
    section = ""
    for line in text.splitlines():
        header, entry = _SECTION.match(line), _ENTRY.match(line)
        if header:
            section = re.sub(r"""[\s"']""", "", header[1])
        elif entry and section == wanted:
            yield entry[1], entry[2]
