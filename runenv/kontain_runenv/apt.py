# SPDX-License-Identifier: Apache-2.0
"""Packages of this host's distribution, by the host's apt but with a state of its own.

apt verifies the archive's signature and every package's sum. It runs as any user, installs
nothing, and neither reads nor changes which packages this host has.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kontain_host.errors import HostError
from kontain_preflight.facts import os_release
from kontain_preflight.host import Host
from kontain_preflight.programs import Process

from .tree import Node, Tree, normalise

_LISTS_AGE_S = 24 * 3600
_INSTALL = re.compile(r"^Inst (?P<name>\S+) \((?P<version>\S+) ", re.MULTILINE)


@dataclass(frozen=True)
class Package:
    """A package that was downloaded; the fields are those of its control file."""

    name: str
    version: str
    architecture: str
    source: str
    homepage: str
    control: str
    file: Path


class Apt:
    """The host's apt over lists and archives below FOLDER."""

    def __init__(self, folder: Path) -> None:
        """Make FOLDER and the configuration in it; `update` has to come before the other calls."""
        _need_programs("apt-get", "apt-config", "dpkg-deb")
        self._folder = folder
        for name in ("lists/partial", "archives/partial", "empty"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        (folder / "status").write_text("")
        self._configuration = folder / "apt.conf"
        self._configuration.write_text(self._settings())

    def _settings(self) -> str:
        """Return a configuration that has of the host's only how to download (proxies, mirrors).

        Its hooks would run otherwise, and change the host. Versions of the release that the host
        runs come before those of any other archive in its sources.
        """
        host = _run(["apt-config", "dump"], os.environ).splitlines()
        own = {
            "Dir::State": self._folder,
            "Dir::State::status": self._folder / "status",
            "Dir::Cache": self._folder,
            "Dir::Etc::main": "/dev/null",
            "Dir::Etc::Parts": self._folder / "empty",
            "Dir::Etc::Preferences": "/dev/null",
            "Dir::Etc::PreferencesParts": self._folder / "empty",
            "Acquire::Languages": "none",
            "APT::Default-Release": f"/^{_codename()}/",
            "APT::Install-Recommends": "false",
            "APT::Sandbox::User": "root",
            "DPkg::Lock::Timeout": "600",
        }
        lines = [line for line in host if line.startswith("Acquire::") and "Languages" not in line]
        return "\n".join([*lines, *(f'{name} "{value}";' for name, value in own.items()), ""])

    def update(self, *, refresh: bool) -> None:
        """Get the lists of packages, unless those here are less than a day old."""
        stamp = self._folder / "updated"
        fresh = stamp.exists() and time.time() - stamp.stat().st_mtime < _LISTS_AGE_S
        if refresh or not fresh:
            self._apt("update", "--error-on=any")
            stamp.touch()

    def fetch(self, names: tuple[str, ...]) -> list[Package]:
        """Return the packages NAMES and all that they depend on, downloaded, sorted by name."""
        planned = self._apt("install", "--simulate", *names)
        self._apt("install", "--download-only", "--yes", *names)
        found = {
            one["name"].partition(":")[0]: one["version"] for one in _INSTALL.finditer(planned)
        }
        return [self._package(name, version) for name, version in sorted(found.items())]

    def _package(self, name: str, version: str) -> Package:
        escaped = version.replace(":", "%3a")
        file = next((self._folder / "archives").glob(f"{name}_{escaped}_*.deb"))
        control = _run(["dpkg-deb", "--field", str(file)], os.environ)
        fields = dict(
            line.split(": ", 1) for line in control.splitlines() if re.match(r"\S+: ", line)
        )
        source = fields.get("Source", name).partition(" ")[0]
        homepage = fields.get("Homepage", "")
        return Package(name, version, fields["Architecture"], source, homepage, control, file)

    def _apt(self, verb: str, *words: str) -> str:
        environment = {**os.environ, "APT_CONFIG": str(self._configuration), "LC_ALL": "C.UTF-8"}
        return _run(["apt-get", "--quiet=2", verb, *words], environment)


def read_files(package: Package) -> Iterator[tuple[str, Node]]:
    """Yield the path and node of each file and symbolic link of PACKAGE."""
    with tempfile.TemporaryFile() as stream:
        command = ["dpkg-deb", "--fsys-tarfile", str(package.file)]
        if subprocess.run(command, stdout=stream, check=False).returncode:
            why, fix = "dpkg-deb refuses it", f"remove {package.file}, then run this again"
            raise HostError(f"cannot unpack {package.file.name}", why, fix)
        stream.seek(0)
        with tarfile.open(fileobj=stream) as archive:
            seen: Tree = {}
            for member in archive:
                path = normalise(member.name)
                node = _node(archive, member, seen, package.name)
                if node:
                    seen[path] = node
                    yield path, node


def _node(
    archive: tarfile.TarFile, member: tarfile.TarInfo, seen: Tree, package: str
) -> Node | None:
    if member.issym():
        return Node(target=member.linkname, package=package)
    if member.islnk():
        return seen.get(normalise(member.linkname))
    if not member.isreg():
        return None
    stream = archive.extractfile(member)
    data = stream.read() if stream else b""
    return Node(mode=0o755 if member.mode & 0o100 else 0o644, data=data, package=package)


def unpack(package: Package, folder: Path) -> None:
    """Unpack PACKAGE below FOLDER, as this user's files."""
    _run(["dpkg-deb", "--extract", str(package.file), str(folder)], os.environ)


def _codename() -> str:
    """Return the name of the release of this host's distribution."""
    name = os_release(Host()).get("VERSION_CODENAME", "")
    if re.fullmatch("[a-z]+", name):
        return name
    why = f"os-release(5) has the VERSION_CODENAME {name!r}, wanted small letters"
    raise HostError(
        "cannot choose packages", why, "build the image on a release of Debian or Ubuntu"
    )


def _need_programs(*names: str) -> None:
    for name in names:
        if not shutil.which(name):
            why = f"{name} is not in PATH, so this host has no packages of Debian or Ubuntu"
            fix = "build the image on such a host, and load the archive here with `podman load`"
            raise HostError("cannot build images", why, fix)


def _run(command: list[str], environment: Mapping[str, str]) -> str:
    done = Process(command, environment=environment).finish()
    if done.status == 0:
        return done.stdout
    said = [line[2:].strip() for line in done.stderr.splitlines() if line.startswith("E:")]
    why = said[-1].rstrip(".") if said else done.last_words
    fix = "look at /etc/apt/sources.list and at the network: `apt-get update` has to work"
    raise HostError(f"cannot run {' '.join(command[:3])}", why, fix)
