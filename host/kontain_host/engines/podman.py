# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in podman, root's and users': one drop-in file.

A podman that reads none (before 3.3) has the runtimes merged into /etc/containers/containers.conf.
"""

from __future__ import annotations

import json
import re
from typing import Dict, Iterator, List, Optional, Tuple

from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..report import Report
from .registration import Registration
from .toml_edit import Wish
from .toml_file import TomlMerge
from .toml_text import quoted

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
_DROP_INS = (3, 3)  # the first that reads drop-in files: containers/common 0.40.0
_OLDEST = (2, 0)  # the first that reads containers.conf
_SECTION = re.compile(r"\s*\[\s*([^\]]+?)\s*\]")
_ENTRY = re.compile(r"""\s*["']?([\w.-]+)["']?\s*=\s*(.*)""")


def is_present(host: Host) -> bool:
    """Return whether this host has podman."""
    return host.which("podman") is not None


def plan(host: Host, names: List[str], wish: Registration, report: Report) -> List[Change]:
    """Return the change that registers the runtime under these names."""
    del report
    version, path = _require_version(host), wish.program
    others = dict(_configured(host))
    taken = {name: path if path in value else value for name, value in others.items()}
    wanted = wish.free_names(names, taken, "podman")
    reason = f"podman finds the runtimes {', '.join(wanted)}"
    beliefs = _beliefs(host, wanted)
    if version is None or version >= _DROP_INS:
        return [File(DROP_IN, OWNER, reason, _content(wanted, path, beliefs))]
    wishes = [Wish(("engine", option), json.dumps(listed)) for option, listed in beliefs.items()]
    wishes += [Wish(("engine", "runtimes", name), f"[{quoted(path)}]") for name in wanted]
    return [TomlMerge(host.resolve(_CONFIGS[-1]), OWNER, reason, tuple(wishes))]


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


def _require_version(host: Host) -> Optional[Tuple[int, int]]:
    """Return podman's version, or None where there is no podman yet."""
    program = host.which("podman")
    if program is None:
        return None
    answer = host.run([program, "--version"]).stdout
    match = re.search(r"(\d+)\.(\d+)", answer)
    version = (int(match[1]), int(match[2])) if match else (0, 0)
    if version < _OLDEST:
        raise HostError(
            "cannot register a runtime in podman",
            f"`podman --version` says {answer.strip()!r}, wanted 2.0 or newer, "
            "which read containers.conf",
            "upgrade the package podman",
            HOST_REFUSED,
        )
    return version


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
