# SPDX-License-Identifier: Apache-2.0
"""Register runtimes in podman, root's and users': one drop-in file.

A podman that reads none (before 3.3) has the runtimes merged into /etc/containers/containers.conf.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, ClassVar, Dict, List, Mapping, Optional, Set, Tuple

from .. import looks
from ..changes import Change, File
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..journal import Entry
from ..looks import Document, quoted
from ..report import Report
from . import podman_view
from .registration import Registration
from .toml_edit import Wish
from .toml_file import TomlMerge, document

ENGINE = looks.podman.PODMAN
OWNER = ENGINE.name
DROP_IN = f"{looks.podman.FOLDERS[-1]}/kontain.conf"

_CONFIG = looks.podman.CONFIGS[-1]
# What podman believes of a runtime goes by its name, and a list in a file replaces podman's own
# (containers.conf(5), where the last one has a plural that podman 4.3 does not read): these are its
# own lists, of all versions up to 5.
_SUPPORTS = {
    "json": ("crun", "crun-vm", "crun-wasm", "kata", "krun", "ocijail", "runc", "runsc", "youki"),
    "kvm": ("kata", "krun"),  # with SELinux, a container's processes may use KVM
    "nocgroup": ("crun", "crun-vm", "crun-wasm", "krun"),
}
_DROP_INS = (3, 3)  # the first that reads drop-in files: containers/common 0.40.0
_APPENDS = (5, 0)  # lists that add to those of other files: containers/common 0.57


@dataclass(frozen=True)
class PodmanDropIn(File):
    """A drop-in file of podman, which must see the runtimes (name, program) of it."""

    kind: ClassVar[str] = "podman-drop-in"

    programs: Tuple[Tuple[str, str], ...] = ()

    def apply(self, host: Host, entry: Entry) -> None:
        """Replace the file, and let podman judge."""
        super().apply(host, entry)
        podman_view.judge(host, self.programs)


@dataclass(frozen=True)
class PodmanMerge(TomlMerge):
    """Runtimes (name, program) in podman's containers.conf, where it reads no drop-in file."""

    kind: ClassVar[str] = "podman-toml"

    programs: Tuple[Tuple[str, str], ...] = ()

    def apply(self, host: Host, entry: Entry) -> None:
        """Merge, and let podman judge."""
        super().apply(host, entry)
        podman_view.judge(host, self.programs)


def plan(host: Host, names: List[str], wish: Registration, report: Report) -> List[Change]:
    """Return the change that registers the runtime under these names."""
    version, path = _require_version(host), wish.program
    files = podman_view.files(host, but=DROP_IN)
    taken = {name: _taken(candidates, path) for name, candidates in _runtimes(files).items()}
    wanted = wish.free_names(names, taken, "podman")
    reason = f"podman finds the runtimes {', '.join(wanted)}"
    programs = tuple((name, path) for name in wanted)
    if version is None or version >= _DROP_INS:
        report.warnings += _later(files, wanted)
        appends = version is not None and version >= _APPENDS
        lists = _appended(wanted) if appends else _beliefs(files, wanted)
        content = _content(wanted, path, lists)
        return [PodmanDropIn(DROP_IN, OWNER, reason, content, 0o644, programs)]
    wishes = _merged_beliefs(document(host, _CONFIG), files, wanted)
    wishes += [Wish(("engine", "runtimes", name), f"[{quoted(path)}]") for name in wanted]
    return [PodmanMerge(host.resolve(_CONFIG), OWNER, reason, tuple(wishes), programs)]


def _taken(candidates: Any, path: str) -> str:
    """Return our program where it is among a runtime's candidates, else what is there."""
    listed = candidates if isinstance(candidates, list) else [candidates]
    return path if path in listed else ", ".join(map(str, listed))


def _engine(tree: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the table `engine` of a file."""
    table = tree.get("engine")
    return table if isinstance(table, dict) else {}


def _runtimes(files: Mapping[str, Mapping[str, Any]]) -> Dict[str, Any]:
    """Return name → candidates of the runtimes in files; the last one that has a name counts."""
    found: Dict[str, Any] = {}
    for tree in files.values():
        table = _engine(tree).get("runtimes")
        found.update(table if isinstance(table, dict) else {})
    return found


def _beliefs(files: Mapping[str, Mapping[str, Any]], names: List[str]) -> Dict[str, str]:
    """Return podman's lists of runtimes that can do something, with NAMES and what files added."""
    found: Dict[str, str] = {}
    for what, known in _SUPPORTS.items():
        option = f"runtime_supports_{what}"
        listed: Set[str] = set()
        for tree in files.values():
            for key in (option, f"{option}s"):  # a plural in some versions, and in people's files
                value = _engine(tree).get(key)
                listed |= {one for one in value or [] if isinstance(one, str)}
        found[option] = json.dumps(sorted({*known, *listed, *names}))
    return found


def _appended(names: List[str]) -> Dict[str, str]:
    """Return the lists as additions, which keep the entries of other files (containers.conf(5))."""
    value = f"{json.dumps(names)[:-1]}, {{append=true}}]"
    return {f"runtime_supports_{what}": value for what in _SUPPORTS}


def _merged_beliefs(
    own: Document, files: Mapping[str, Mapping[str, Any]], names: List[str]
) -> List[Wish]:
    """Return the wishes for these lists in a file; one that it has gets our names as items."""
    wishes = []
    for option, value in _beliefs(files, names).items():
        path = ("engine", option)
        if isinstance(own.value(path), list):
            wishes += [Wish(path, quoted(name), is_item=True) for name in names]
        else:
            wishes.append(Wish(path, value))
    return wishes


def _later(files: Mapping[str, Mapping[str, Any]], names: List[str]) -> List[str]:
    """Return a warning for each file that podman reads after ours and that lists without us."""
    warnings = []
    for path, tree in files.items():
        if not path.startswith(DROP_IN.rpartition("/")[0]) or path < DROP_IN:
            continue
        for what in _SUPPORTS:
            option = f"runtime_supports_{what}"
            value = _engine(tree).get(option)
            if isinstance(value, list) and not set(names) <= set(map(str, value)):
                warnings.append(
                    f"{path}, which podman reads after {DROP_IN}, sets {option} without "
                    f"{' and '.join(names)}: add them there"
                )
    return warnings


def _content(names: List[str], path: str, lists: Mapping[str, str]) -> bytes:
    lines = [
        "# Made by Kontain: `kontain why` says more about this file, `kontain uninstall` removes it.",
        "[engine]",
        *(f"{option} = {value}" for option, value in lists.items()),
        "[engine.runtimes]",
        *(f"{name} = [{quoted(path)}]" for name in names),
    ]
    return ("\n".join(lines) + "\n").encode()


def _require_version(host: Host) -> Optional[Tuple[int, int]]:
    """Return podman's version, or None where there is no podman yet."""
    if not ENGINE.is_present(host):
        return None
    answer = podman_view.version_text(host)
    version = looks.engines.version_in(answer) or (0, 0)
    if version < ENGINE.oldest:
        raise HostError(
            "cannot register a runtime in podman",
            f"`podman --version` says {answer.strip()!r}, wanted 2.0 or newer, "
            "which read containers.conf",
            "upgrade the package podman",
            HOST_REFUSED,
        )
    return version
