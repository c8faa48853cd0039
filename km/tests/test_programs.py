# SPDX-License-Identifier: Apache-2.0
"""A program of the distribution does in a VM what it does natively: output, status and files."""

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import compare
import pytest
from programs import CORPUS, GO, INTERPRETERS, JAVA, PROGRAMS, Program

PATIENCE = float(os.environ.get("KM_TEST_PATIENCE", "1"))
"""By how much longer programs may take here: an emulated CPU needs ten times as long."""

CASES = [(program, options) for program in PROGRAMS for options in program.runs]


def _name(case: "tuple[Program, tuple[str, ...]]") -> str:
    return "".join([case[0].file, *case[1]])


@pytest.fixture(scope="session")
def command(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., "list[str]"]:
    """A function that gives the command of a program of the corpus, which it compiles if need be."""
    folder = tmp_path_factory.mktemp("corpus")

    def make(program: Program, options: "tuple[str, ...]") -> "list[str]":
        source = CORPUS / program.file
        interpreter = INTERPRETERS[source.suffix]
        built = folder / source.stem
        if interpreter == JAVA:
            if not built.exists():
                subprocess.run(["/usr/bin/javac", "-d", built, source], check=True)
            return [interpreter, *options, "-cp", str(built), source.stem]
        if interpreter == GO:
            if not built.exists():
                cache = {**os.environ, "GOCACHE": str(folder / "go"), "GO111MODULE": "off"}
                words = [interpreter, "build", "-o", str(built), str(source)]
                subprocess.run(words, check=True, env=cache)
            return [str(built), *options]
        return [interpreter, *options, str(source)]

    return make


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize(("program", "options"), CASES, ids=map(_name, CASES))
def test_program(
    program: Program, options: "tuple[str, ...]", command: Callable[..., "list[str]"], km: Path
) -> None:
    """Standard output, standard error, status and files are those of the native run."""
    interpreter = INTERPRETERS[Path(program.file).suffix]
    needed = [interpreter, *program.needs, *(["/usr/bin/javac"] if interpreter == JAVA else [])]
    missing = [name for name in needed if not shutil.which(name, path="/usr/bin:/bin:/usr/sbin")]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: run `make deps`")
    words = command(program, options)
    native = compare.run(words, timeout_s=program.timeout_s * PATIENCE)
    found = compare.run([str(km), *words], timeout_s=program.timeout_s * PATIENCE)
    wrong = compare.difference(native, found)
    assert native.stdout, "the native run says nothing"
    assert not wrong, f"\n{wrong}"


def test_every_file_is_a_program() -> None:
    """Each file of the corpus has an entry in the table, and each entry its file."""
    assert {path.name for path in CORPUS.iterdir()} == {program.file for program in PROGRAMS}
