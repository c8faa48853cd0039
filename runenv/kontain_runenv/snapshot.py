# SPDX-License-Identifier: Apache-2.0
"""Snapshots of languages: an interpreter that has started, from which krun starts containers.

Each is a folder of root's below FOLDER, with the snapshot and `about.json`, by which krun(1) judges
whether it fits a container. It is made in a container of the image's own files, by krun.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kontain_host.errors import HOST_REFUSED, NOT_ROOT, WRONG_USAGE, HostError
from kontain_host.files import Meta, temporary_name, write_atomic
from kontain_preflight.host import Host
from kontain_preflight.programs import Process

from .build import WORKING_FOLDER, Image
from .layer import MTIME
from .tree import normalise, resolve, write_folder

FOLDER = Path("/var/lib/kontain/snapshots")
_LIMIT_S = 300.0
_PLACE = "kontain"  # of the folder in the container that the snapshot is written to


@dataclass(frozen=True)
class Language:
    """The facts of a language's program."""

    program: str
    options: tuple[str, ...]
    """Its options that the snapshot can take as the first word; else that is a script."""
    prefixes: tuple[str, ...]
    """Of variables that it, its loader or its C library looks at when it starts: a container has to
    have the same."""
    absent: tuple[str, ...]
    """Files that it, its loader or its C library would read when it starts, and that no image has."""


LANGUAGES = {
    "python3": Language(
        "/usr/bin/python3",
        ("-c", "-m"),
        ("PYTHON", "LANG", "LC_", "LOCPATH", "LD_", "GLIBC_", "MALLOC_", "TZ", "OPENSSL_"),
        ("/etc/ld.so.preload", "/etc/localtime", "/usr/bin/pyvenv.cfg", "/usr/pyvenv.cfg"),
    ),
}


@dataclass(frozen=True)
class Release:
    """The programs that make snapshots, and that these are for."""

    km: Path
    krun: Path


def installed() -> Release:
    """Return the programs of the release that this host has."""
    release = Host().release
    if not release:
        why = "this host has no Kontain, whose km a snapshot is for"
        raise HostError("cannot make a snapshot", why, "run install.sh first", HOST_REFUSED)
    return Release(Path(release, "bin/km"), Path(release, "bin/krun"))


def make_snapshot(
    image: Image, modules: list[str], release: Release, folder: Path = FOLDER
) -> str:
    """Make the snapshot of IMAGE, with MODULES imported, unless it is there; return what was done."""
    if os.geteuid():
        why = "snapshots that containers start from are root's"
        raise HostError("cannot make a snapshot", why, "run this as root", NOT_ROOT)
    wrong = [name for name in modules if not re.fullmatch(r"\w+(\.\w+)*", name)]
    if wrong:
        why = f"{wrong[0]!r} is no name of a module"
        raise HostError(
            "cannot make a snapshot", why, "name modules as `import` does", WRONG_USAGE
        )
    made_for = _made_for(image, modules, release)
    place = folder / image.recipe.name
    if _read(place / "about.json").get("made_for") == made_for:
        return "unchanged"
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(0o700)  # who could read it would know what is random in every container
    place.mkdir(mode=0o700, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder, prefix=".new-") as scratch:
        files = _run(image, modules, release, Path(scratch))
        snapshot = Path(scratch) / _PLACE / "snapshot"
        snapshot.chmod(0o555)
        _place(snapshot, place, _describe(image, files, made_for, release))
    return "made"


def _made_for(image: Image, modules: list[str], release: Release) -> str:
    """Return the sum of all that a snapshot depends on."""
    cpu = re.search(
        r"^flags\s*:.*$", Path("/proc/cpuinfo").read_text(encoding="utf-8"), re.MULTILINE
    )
    facts = {
        "km": hashlib.sha256(release.km.read_bytes()).hexdigest(),
        **_host(release),
        "version": os.uname().version,
        "cpu": cpu.group() if cpu else "",
        "image": image.digest,
        "modules": modules,
    }
    return hashlib.sha256(json.dumps(facts, sort_keys=True).encode()).hexdigest()


def _host(release: Release) -> dict[str, Any]:
    """Return what krun compares at each create."""
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="utf-8").strip()
    return {"km": _identity(release.km), "kernel": os.uname().release, "boot": boot}


def _identity(path: Path) -> list[int]:
    found = path.stat()
    return [found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns]


def _read(path: Path) -> dict[str, Any]:
    try:
        about = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return about if isinstance(about, dict) else {}


def _run(image: Image, modules: list[str], release: Release, scratch: Path) -> list[str]:
    """Run IMAGE's language until it asks for its snapshot; return the files that it has read."""
    rootfs, language = scratch / "rootfs", LANGUAGES[image.recipe.name]
    write_folder(image.tree, rootfs)
    for path in rootfs.rglob("*"):  # compiled modules have their sources' times
        os.utime(path, (MTIME, MTIME), follow_symlinks=False)
    (rootfs / _PLACE).mkdir()
    (rootfs / WORKING_FOLDER.lstrip("/")).mkdir(parents=True, exist_ok=True)
    (scratch / _PLACE).mkdir()
    code = Path(__file__).with_name(f"warm_{image.recipe.name}.py").read_text(encoding="utf-8")
    code = f"MODULES = {modules!r}\nexec(compile({code!r}, '<snapshot>', 'exec'))"
    configuration = _configuration(image, [language.program, "-c", code], scratch / _PLACE)
    (scratch / "config.json").write_text(json.dumps(configuration), encoding="utf-8")
    policy = {"km_options": ["--snapshot", f"/{_PLACE}/snapshot"]}
    (scratch / "krun.json").write_text(json.dumps(policy), encoding="utf-8")
    words = ["--root", f"{scratch}/state", "--policy", f"{scratch}/krun.json"]
    command = [
        str(release.krun),
        *words,
        "run",
        "--bundle",
        str(scratch),
        scratch.name.lstrip("."),
    ]
    done = Process(command, folder=str(scratch)).finish(_LIMIT_S)
    if done.status or not (scratch / _PLACE / "snapshot").exists():
        problem, fix = done.two_lines
        why = problem or f"it ended with status {done.status} and wrote none"
        raise HostError(
            f"cannot make a snapshot of {image.recipe.name}", why, fix or "run `kontain check`"
        )
    return done.stdout.splitlines()


def _configuration(image: Image, args: list[str], out: Path) -> dict[str, Any]:
    """Return a bundle's configuration for ARGS, which may write to OUT and has no network."""
    namespaces = ("mount", "pid", "ipc", "uts", "network")
    return {
        "ociVersion": "1.0.2",
        "root": {"path": "rootfs", "readonly": True},
        "process": {
            "user": {"uid": 0, "gid": 0},
            "args": args,
            "env": [f"{name}={value}" for name, value in image.environment.items()],
            "cwd": WORKING_FOLDER,
            "noNewPrivileges": True,
        },
        "mounts": [
            {"destination": "/proc", "type": "proc", "source": "proc"},
            {"destination": "/dev", "type": "tmpfs", "source": "tmpfs", "options": ["mode=755"]},
            {
                "destination": f"/{_PLACE}",
                "type": "bind",
                "source": str(out),
                "options": ["bind", "rw"],
            },
        ],
        "linux": {"namespaces": [{"type": kind} for kind in namespaces]},
    }


def _describe(image: Image, files: list[str], made_for: str, release: Release) -> dict[str, Any]:
    """Return what krun has to know of the snapshot of IMAGE, which has read FILES."""
    language = LANGUAGES[image.recipe.name]
    read: dict[str, dict[str, list[int]]] = {}
    absent = [file for file in language.absent if file.lstrip("/") not in image.tree]
    for file in files:
        path = file.lstrip("/")
        if path not in image.tree:
            absent.append(file)
        elif not image.tree[path].target:
            folder, _, name = file.rpartition("/")
            read.setdefault(folder, {})[name] = [len(image.tree[path].data), MTIME]
    program = resolve(image.tree, normalise(language.program))[-1]
    names = [path for path in image.tree if resolve(image.tree, path)[-1] == program]
    return {
        **_host(release),
        "made_for": made_for,
        "programs": [f"/{name}" for name in sorted(names)],
        "options": list(language.options),
        "folder": WORKING_FOLDER,
        "prefixes": list(language.prefixes),
        "environment": {
            name: value
            for name, value in image.environment.items()
            if name.startswith(language.prefixes)
        },
        "files": read,
        "absent": absent,
    }


def _place(snapshot: Path, place: Path, about: dict[str, Any]) -> None:
    """Put both where krun finds them; until the second is there krun takes neither."""
    shutil.move(str(snapshot), place / "snapshot")
    about["snapshot"] = _identity(place / "snapshot")
    text = json.dumps(about, indent=1) + "\n"
    write_atomic(place / "about.json", text.encode(), Meta(0o600), temporary_name("about.json"))
