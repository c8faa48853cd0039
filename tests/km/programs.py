# SPDX-License-Identifier: Apache-2.0
"""The corpus: real programs of the distribution, each put to work by a file of `corpus/`.

A file's name decides its interpreter. Its children run under km as well, so that a script of the
shell is a corpus of all the programs that it calls.
"""

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path

CORPUS = Path(__file__).resolve().parent / "corpus"

PYTHON, BASH, PERL, NODE, JAVA, GO = (
    "/usr/bin/python3", "/usr/bin/bash", "/usr/bin/perl", "/usr/bin/node", "/usr/bin/java",
    "/usr/bin/go",
)  # fmt: skip

INTERPRETERS = {".py": PYTHON, ".sh": BASH, ".pl": PERL, ".js": NODE, ".java": JAVA, ".go": GO}
"""What runs a file, by the end of its name; Java's and Go's are compiled first."""


@dataclass(frozen=True)
class Program:
    """One file of the corpus, the programs that it needs, and its runs (lists of options)."""

    file: str
    needs: tuple[str, ...] = ()
    """More programs that must be in PATH."""
    runs: tuple[tuple[str, ...], ...] = ((),)
    """Options of the interpreter; for Java, of the virtual machine."""
    timeout_s: int = 300


COMPILERS = {".go": GO, ".java": "/usr/bin/javac"}


def compile_program(program: Program, folder: Path) -> None:
    """Compile a program of Go or Java into FOLDER, unless it is there, under its name without the end."""
    source = CORPUS / program.file
    built = folder / source.stem
    compiler = COMPILERS.get(source.suffix)
    if not compiler or built.exists():
        return
    folder.mkdir(exist_ok=True)
    if compiler == GO:
        cache = {**os.environ, "GOCACHE": str(folder / "go"), "GO111MODULE": "off"}
        subprocess.run([compiler, "build", "-o", built, source], check=True, env=cache)
    else:
        subprocess.run([compiler, "-d", built, source], check=True)


def command(program: Program, options: "tuple[str, ...]", folder: Path) -> "list[str]":
    """Return the command of a program; FOLDER has what was compiled."""
    source = CORPUS / program.file
    interpreter = INTERPRETERS[source.suffix]
    built = str(folder / source.stem)
    if interpreter == JAVA:
        return [interpreter, *options, "-cp", built, source.stem]
    return [built, *options] if interpreter == GO else [interpreter, *options, str(source)]


COLLECTORS = (("-XX:+UseSerialGC",), ("-XX:+UseParallelGC",), ("-XX:+UseG1GC",))

PROGRAMS = (
    Program("Machine.java", runs=tuple((*words, "-Xmx200m") for words in COLLECTORS)),
    Program("archives.sh", ("tar", "xz", "bzip2", "b2sum")),
    Program("asynchronous.py"),
    Program("build.sh", ("gcc", "g++", "make")),
    Program("crypto.sh", ("openssl", "ssh-keygen", "curl")),
    Program("database.sh", ("sqlite3",)),
    Program("git.sh", ("git",)),
    Program("goroutines.go"),
    Program("jobs.sh"),
    Program("memory.py"),
    Program("proc.py"),
    Program("processes.py"),
    Program("servers.sh", ("nginx", "curl", "redis-server", "redis-cli")),
    Program("signals.py"),
    Program("sockets.py"),
    Program("system.pl"),
    Program("terminals.sh", ("script", "tmux")),
    Program("text.sh", ("perl", "flock")),
    Program("threads.py"),
    Program("workers.js"),
)
