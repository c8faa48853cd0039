# SPDX-License-Identifier: Apache-2.0
"""The release that this krun belongs to: found by its own resolved path, never by the environment."""

from __future__ import annotations

import posix
from _stat import S_ISREG

from krun.errors import KrunError

SEARCHED = ("/usr/bin", "/usr/sbin", "/bin", "/sbin", "/usr/local/bin", "/usr/local/sbin")
"""Where programs of the host are looked for: engines start a runtime without PATH."""


def is_executable(path: str) -> bool:
    """Say whether PATH is a regular file with an execute permission."""
    try:
        mode = posix.stat(path).st_mode
    except OSError:
        return False
    return S_ISREG(mode) and bool(mode & 0o111)


def find_program(name: str) -> str | None:
    """Return the path of the host's program NAME."""
    paths = (f"{folder}/{name}" for folder in SEARCHED)
    return next((path for path in paths if is_executable(path)), None)


def find_km(program: str) -> str:
    """Return the km of the release, or of the checkout, to which krun's file PROGRAM belongs."""
    home = program[: program.rindex("/bin/")]
    installed = f"{home}/bin/km"
    built = f"{home[: home.rindex('/')]}/build/km/km"
    for path in (installed, built):
        if is_executable(path):
            return path
    raise KrunError(
        f"km is missing: neither {installed} nor {built} is a program",
        "install the release again with install.sh, or build km with `make -C km`",
    )


def find_launcher(program: str) -> str:
    """Return the launcher of the release, or of the checkout, to which PROGRAM belongs.

    It is the file bin/krun of a release; that of a checkout's sources is the Python program.
    """
    home = program[: program.rindex("/bin/")]
    built = f"{home[: home.rindex('/')]}/build/krun/bin/krun"
    return built if is_executable(built) else program


def version(program: str) -> str:
    """Return the version of the release, or of the checkout, to which PROGRAM belongs."""
    home = program[: program.rindex("/bin/")]
    try:
        return _read(f"{home}/VERSION").strip()
    except FileNotFoundError:
        text = _read(f"{home[: home.rindex('/')]}/galaxy.yml")
    line = next(line for line in text.splitlines() if line.startswith("version:"))
    return line.partition(":")[2].strip()


def _read(path: str) -> str:
    fd = posix.open(path, posix.O_RDONLY | posix.O_CLOEXEC)
    try:
        return posix.read(fd, 1 << 16).decode()
    finally:
        posix.close(fd)
