# SPDX-License-Identifier: Apache-2.0
"""Source packages of this host's distribution, by its apt, with lists and a cache of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

_FIELDS = "$(REPO_URI)\t$(CODENAME)\t$(COMPONENT)\t$(SIGNED_BY)"


class FetchError(Exception):
    """Sources that cannot be had; the text says why."""


class Sources:
    """The sources of what the host's apt knows, below FOLDER."""

    def __init__(self, folder: Path) -> None:
        """Get the lists of sources, once; raise FetchError where apt cannot."""
        for program in ("apt-get", "dpkg-source"):
            if not shutil.which(program):
                raise FetchError(f"{program} is missing: install the Debian package dpkg-dev")
        for name in ("lists/partial", "archives/partial"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self._folder = folder
        lines = sorted(set(_source_lines()))
        text = "\n".join([*lines, ""])
        listed = folder / "sources.list"
        if not listed.exists() or listed.read_text() != text:
            (folder / "status").write_text("")
            listed.write_text(text)
            try:
                self._apt("update")
            except FetchError:
                listed.unlink()
                raise

    def unpack(self, name: str, folder: Path) -> str:
        """Unpack the source package NAME as FOLDER, without the distribution's patches; return its version."""
        downloads = self._folder / name
        downloads.mkdir(exist_ok=True)
        if not list(downloads.glob("*.dsc")):
            self._apt("source", "--download-only", name, folder=downloads)
        description = max(downloads.glob("*.dsc"))
        options = ("--no-check", "--skip-patches", "--extract")
        _run("dpkg-source", *options, str(description), str(folder))
        fields = description.read_text(encoding="utf-8", errors="replace").splitlines()
        return next(line.split()[1] for line in fields if line.startswith("Version: "))

    def _apt(self, *words: str, folder: Path | None = None) -> str:
        settings = {
            "Dir::State": self._folder,
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder,
            "Dir::Etc::SourceList": self._folder / "sources.list",
            "Dir::Etc::SourceParts": "/dev/null",
            "APT::Sandbox::User": "root",
        }
        options = [f"--option={name}={value}" for name, value in settings.items()]
        return _run("apt-get", "--quiet=2", *options, *words, folder=folder)


def _source_lines() -> list[str]:
    """Return a line for sources for each place that the host's apt has programs from."""
    targets = _run("apt-get", "indextargets", "--format", _FIELDS, "Created-By: Packages")
    lines = []
    for target in targets.splitlines():
        uri, suite, component, key = target.split("\t")
        if "-" in suite:
            continue  # the release itself: what came after may have left the archive
        trust = f"[signed-by={key}] " if key.startswith("/") else ""
        lines.append(f"deb-src {trust}{uri} {suite} {component}")
    return lines


def _run(*command: str, folder: Path | None = None) -> str:
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        said = (done.stderr.strip() or done.stdout.strip() or "nothing").splitlines()[-1]
        raise FetchError(f"{' '.join(command[:2])} ended with status {done.returncode}: {said}")
    return done.stdout
