# SPDX-License-Identifier: Apache-2.0
"""Build real projects with gcc-kontain, and run their own tests under km.

`make sources` does all of them, which takes a while, and writes what came of it into
docs/reference/real-projects.md; `python3 -m toolchain.sources.projects NAME...` does some.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from .fetch import FetchError, Sources

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/real-projects.md"
KM = ROOT / "build/km/km"
TOOLCHAIN = ROOT / "build/toolchain"
TIMEOUT_S = 3600


@dataclass(frozen=True)
class Project:
    """A source package; its commands are the shell's, `test` runs in a VM, all of it."""

    name: str
    what: str
    build: str
    test: str


PROJECTS = {
    one.name: one
    for one in (
        Project("zlib", "C, a script of its own", "./configure --static && make", "make test"),
        Project(
            "lua5.1",
            "C, Makefile",
            'make -C src posix CC="$CC"',
            "cd test; for one in bisect cf factorial fib fibfor hello sieve sort table trace-calls;"
            " do ../src/lua $one.lua; done",
        ),
        Project("bzip2", "C, Makefile", 'make bzip2 CC="$CC"', 'make test CC="$CC"'),
        Project("gzip", "C, Autoconf and Automake", './configure CC="$CC" && make', "make check"),
        Project(
            "tinyxml2",
            "C++, CMake",
            'cmake -B build -DCMAKE_TOOLCHAIN_FILE="$CMAKE_FILE" && cmake --build build',
            "ctest --test-dir build --output-on-failure",
        ),
        Project(
            "sqlite3",
            "C, Autoconf and libtool; glibc, for Tcl's library",
            './configure CC="$CC --libc=glibc" --disable-shared --with-tcl=/usr/lib/tcl8.6'
            " && make testfixture sqlite3",
            "for one in select1 select2 insert update delete2 index join where trans; do"
            " ./testfixture test/$one.test; done",
        ),
        Project(
            "redis",
            "C with C++ libraries, Makefile",
            'make CC="$CC" MALLOC=libc USE_SYSTEMD=no',
            "tclsh tests/test_helper.tcl --clients 1 --single unit/type/hash"
            " --single unit/type/list --single unit/type/set --single unit/type/string",
        ),
    )
}


@dataclass(frozen=True)
class Result:
    """The outcome of a project, and the output of its last step."""

    project: Project
    version: str
    built: bool
    passed: bool
    said: str


def run(words: list[str], folder: Path) -> tuple[bool, str]:
    """Run a command of a project; return whether it was good, and what it said."""
    environment = {
        **os.environ,
        "CC": str(TOOLCHAIN / "bin/gcc-kontain"),
        "CXX": str(TOOLCHAIN / "bin/g++-kontain"),
        "CMAKE_FILE": str(TOOLCHAIN / "lib/toolchain/kontain.cmake"),
    }
    try:
        done = subprocess.run(
            words,
            cwd=folder,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=TIMEOUT_S,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return False, f"no end within {TIMEOUT_S} s"
    return done.returncode == 0, done.stdout


def prove(project: Project, sources: Sources, scratch: Path) -> Result:
    """Build a project in SCRATCH and run its tests, make and shell included, under km."""
    folder = scratch / project.name
    version = sources.unpack(project.name, folder)
    built, said = run(["sh", "-ec", project.build], folder)
    passed = False
    if built:
        passed, said = run([str(KM), "/bin/sh", "-ec", project.test], folder)
    return Result(project, version, built, passed, said)


def page(results: list[Result]) -> str:
    """Return the page of the results."""
    lines = [
        "# Real projects",
        "",
        (
            "Source packages of the distribution, as their authors published them, without the"
            " distribution's patches: built by gcc-kontain and g++-kontain from `CC`, or by CMake with"
            " the toolchain file, and then tested by their own tests."
        ),
        "The tests run under km with all that belongs to them: the shell, make, the programs.",
        "`make sources` writes this page.",
        "",
        "| project | version | what it is | built | own tests under km |",
        "|---|---|---|---|---|",
    ]
    for one in results:
        built, passed = ("yes" if good else "**no**" for good in (one.built, one.passed))
        lines.append(
            f"| {one.project.name} | {one.version} | {one.project.what} | {built} | {passed} |"
        )
    lines += ["", "The commands:", ""]
    for one in results:
        commands = f"{one.project.build}\n{one.project.test}"
        lines += [f"{one.project.name}:", "", "```sh", commands, "```", ""]
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Prove the projects that the command line names, or all, and write the page of all."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("names", nargs="*", choices=[*PROJECTS, []], metavar="NAME")
    names = parser.parse_args().names or list(PROJECTS)
    try:
        sources = Sources(Path.home() / ".cache/kontain/sources")
        results = []
        with tempfile.TemporaryDirectory(prefix="kontain-sources-") as scratch:
            for name in names:
                result = prove(PROJECTS[name], sources, Path(scratch))
                print(f"{name} {result.version}: built {result.built}, passed {result.passed}")
                if not result.passed:
                    print(result.said[-3000:])
                results.append(result)
    except FetchError as problem:
        print(f"projects: cannot get the sources: {problem}.", file=sys.stderr)
        print("To fix: make `apt-get update` work on this host.", file=sys.stderr)
        return 1
    if names == list(PROJECTS):
        PAGE.write_text(page(results), encoding="utf-8")
    return 0 if all(result.passed for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())
