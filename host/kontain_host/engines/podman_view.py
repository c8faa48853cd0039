# SPDX-License-Identifier: Apache-2.0
"""podman's own view of its files: `podman info`, and the files in the order that it reads."""

from __future__ import annotations

import re
import tempfile
from typing import Any, Dict, Optional, Sequence, Tuple

from .. import looks
from ..errors import HOST_REFUSED, HostError
from ..host import Host
from ..looks import Document, Output, TomlError
from .toml_file import read_text

_OF_FILES = re.compile(r"containers\.conf|toml")
_MESSAGE = re.compile(r'msg="((?:[^"\\]|\\.)*)"')


def version_text(host: Host) -> str:
    """Return what `podman --version` says; with files that it refuses, podman does not even say that."""
    answer = host.run(looks.podman.PODMAN.program, "--version")
    said = _said(answer)
    if answer.status != 0 and _OF_FILES.search(said):
        raise _refused("its configuration", said)
    return answer.stdout


def files(host: Host, but: str) -> Dict[str, Dict[str, Any]]:
    """Return path → values of the files of podman, in its order, but for one of them.

    Raises HostError with podman's own words where one is no TOML.
    """
    return {path: _tree(host, path) for path in looks.podman.files(host) if path != but}


def _tree(host: Host, path: str) -> Dict[str, Any]:
    try:
        return Document(read_text(host, path)).tree()
    except TomlError as error:
        _, said = _ask(host)
        raise _refused(path, said if _OF_FILES.search(said) else str(error)) from None


def judge(host: Host, programs: Sequence[Tuple[str, str]]) -> None:
    """Raise HostError unless podman, where there is one, finds the programs under their names."""
    if not looks.podman.PODMAN.is_present(host):
        return
    for name, program in programs:
        found, said = _ask(host, name)
        if found == program:
            continue
        if _OF_FILES.search(said):
            raise _refused("its configuration", said)
        if not found and f'"{name}" not found' not in said:
            host.warnings.append(f"cannot ask podman for the runtime {name}: {said}")
            return
        raise HostError(
            f"podman does not find the runtime {name}",
            f"`podman --runtime {name} info` has {found or said}, wanted {program}",
            f"see that {program} is there, and which of podman's files names {name} "
            "(containers.conf(5) has their order)",
            HOST_REFUSED,
        )


def _refused(what: str, said: str) -> HostError:
    return HostError(
        "cannot register a runtime in podman",
        f"podman refuses {what}: {said.rstrip('.')}",
        "repair that line, then run this again; `podman info` shows whether podman takes it",
        HOST_REFUSED,
    )


def _ask(host: Host, name: Optional[str] = None) -> Tuple[str, str]:
    """Return the program that podman runs containers by, and the last line of its complaints.

    It keeps what it writes in a folder of its own, for this podman may never have run.
    """
    with tempfile.TemporaryDirectory(prefix="kontain-") as folder:
        command = [
            looks.podman.PODMAN.program,
            "--root",
            f"{folder}/r",
            "--runroot",
            f"{folder}/s",
        ]
        command += ["--tmpdir", f"{folder}/t", "--storage-driver", "vfs"]
        command += [looks.podman.network_option(host), f"{folder}/n"]
        command += ["--runtime", name] if name else []
        answer = host.run(*command, "info", "--format", "{{.Host.OCIRuntime.Path}}")
    said = _said(answer)
    return answer.stdout.strip() if answer.status == 0 else "", said


def _said(answer: Output) -> str:
    """Return the last line of what podman complains of, without what a log puts around it."""
    last = answer.last_words
    message = _MESSAGE.search(last)
    return message[1].replace('\\"', '"') if message else last
