# SPDX-License-Identifier: Apache-2.0
"""Hosts that are folders, and bundles made to measure."""

from __future__ import annotations

import hashlib
import io
import os
import tarfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Union

from kontain_host.host import Host
from kontain_host.trust import Trust
from kontain_preflight.programs import Output

from .signing import PUBLIC, signed

ROOT = Path(__file__).resolve().parents[2]
KONTAIN = str(ROOT / "command/bin/kontain")
PYTHON_PATH = {**os.environ, "PYTHONPATH": f"{ROOT}/host:{ROOT}/preflight:{ROOT}"}
GROUPS = "root:x:0:\nkvm:x:106:carol\nusers:x:100:\n"
PASSWORDS = "root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n"

Tree = dict[str, tuple[Any, ...]]
Answer = Union[tuple[int, str], Callable[[Sequence[str]], tuple[int, str]]]


class SmallHost(Host):
    """A host in a folder; the test sets the output of its commands."""

    def __init__(self, root: Path) -> None:
        """Begin with a host that has no command."""
        super().__init__(str(root), trust=Trust(brought=PUBLIC))
        self.answers: dict[str, Answer] = {}
        self.ran: list[list[str]] = []

    def add_command(self, name: str, status: int = 0, output: str = "") -> None:
        """Install a command with its status and output."""
        self.add_program(name, (status, output))

    def add_program(self, name: str, answer: Answer) -> None:
        """Install a command with what it answers, or what answers for it."""
        place = self.path(f"/usr/bin/{name}")
        place.write_text("#!/bin/sh\n")
        place.chmod(0o755)
        self.answers[name] = answer

    def run(self, *command: str, stdin: int | None = None, limit_s: float | None = None) -> Output:
        """Answer as the test has set, for the program of that name."""
        del stdin, limit_s
        self.ran.append(list(command))
        answer = self.answers[command[0].rpartition("/")[2]]
        status, output = answer(command) if callable(answer) else answer
        said = ("", output) if status else (output, "")
        return Output(status, *said)


def make_root(folder: Path) -> Path:
    """Lay the parts of a host out that Kontain touches."""
    for name in ("dev", "etc", "opt", "proc", "sys/module", "usr/bin", "usr/local/bin", "var/lib"):
        (folder / name).mkdir(parents=True)
    (folder / "dev/kvm").touch(0o660)
    (folder / "etc/group").write_text(GROUPS)
    (folder / "etc/gshadow").write_text("root:*::\nkvm:!::carol\nusers:*::\n")
    (folder / "etc/passwd").write_text(PASSWORDS)
    (folder / "etc/.pwd.lock").touch(0o600)
    return folder


def snapshot(folder: Path) -> Tree:
    """Return all that is below a folder: type, mode, owner, content or target."""
    found: Tree = {}
    for place in sorted(folder.rglob("*")):
        info = place.lstat()
        content: Any = None
        if place.is_symlink():
            content = str(place.readlink())
        elif place.is_file():
            content = place.read_bytes()
        owner = (oct(info.st_mode), info.st_uid, info.st_gid)
        found[str(place.relative_to(folder))] = (*owner, content)
    return found


FILES = {
    "bin/km": b"#!/bin/sh\necho result=ok\n",
    "bin/krun": b"#!/usr/bin/python3\n",
    "bin/kontain": b"#!/usr/bin/python3\n",
    "lib/python/krun/__init__.py": b'"""krun."""\n',
    "share/krun.json": b"{}\n",
    "share/man/man1/km.1": b".TH km 1\n",
}


class BundleMaker:
    """Makes bundles, good ones and others."""

    def __init__(self, folder: Path) -> None:
        """Put them below `folder`, with `key`, the public key that they are signed with."""
        self.folder = folder
        self.key = folder / "release.pub"
        self.key.write_text(f"-----BEGIN PUBLIC KEY-----\n{PUBLIC}\n-----END PUBLIC KEY-----\n")

    def __call__(
        self,
        version: str = "0.1.0",
        files: dict[str, bytes] | None = None,
        *,
        manifest: bytes | None = None,
        extra: Sequence[tuple[tarfile.TarInfo, bytes]] = (),
        top: str | None = None,
    ) -> Path:
        """Make a bundle of these files, with members `extra` and a `manifest` of one's own."""
        tree = {**(FILES if files is None else files), "VERSION": f"{version}\n".encode()}
        lines = [f"{hashlib.sha256(tree[path]).hexdigest()}  {path}\n" for path in sorted(tree)]
        tree["MANIFEST"] = "".join(lines).encode() if manifest is None else manifest
        bundle = self.folder / f"kontain-{version}-x86_64.tar.gz"
        top = top or f"kontain-{version}"
        with tarfile.open(bundle, "w:gz") as archive:
            add(archive, f"{top}/install.sh", b"#!/bin/sh\n")
            for path, content in tree.items():
                add(
                    archive,
                    f"{top}/release/{path}",
                    content,
                    mode=0o755 if "bin/" in path else 0o644,
                )
            for member, content in extra:
                archive.addfile(member, io.BytesIO(content))
        bundle.write_bytes(signed(bundle.read_bytes(), version))
        return bundle


def add(archive: tarfile.TarFile, name: str, content: bytes, mode: int = 0o644) -> None:
    """Add a file to an archive."""
    member = tarfile.TarInfo(name)
    member.size, member.mode = len(content), mode
    archive.addfile(member, io.BytesIO(content))
