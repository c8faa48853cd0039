# SPDX-License-Identifier: Apache-2.0
"""A program of the distribution does the same in a VM and on the host: output, status, files."""

import os
import shutil
from pathlib import Path

import pytest

from . import compare
from .programs import COMPILERS, CORPUS, INTERPRETERS, PROGRAMS, Program, command, compile_program

PATIENCE = float(os.environ.get("KM_TEST_PATIENCE", "1"))
"""By how much longer programs may take here: an emulated CPU needs ten times as long."""

CASES = [(program, options) for program in PROGRAMS for options in program.runs]


def _name(case: "tuple[Program, tuple[str, ...]]") -> str:
    return "".join([case[0].file, *case[1]])


@pytest.fixture(scope="session")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of what is compiled: one with all of it where the tests were sent with that."""
    given = os.environ.get("KM_TEST_BUILT")
    return Path(given) if given else tmp_path_factory.mktemp("corpus")


@pytest.mark.needs_kvm
@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize(("program", "options"), CASES, ids=map(_name, CASES))
def test_program(program: Program, options: "tuple[str, ...]", built: Path, km: Path) -> None:
    """Standard output, standard error, status and files are those of the native run."""
    source = CORPUS / program.file
    compiler = COMPILERS.get(source.suffix)
    needed = [*program.needs]
    if source.suffix != ".go":
        needed.append(INTERPRETERS[source.suffix])
    if compiler and not (built / source.stem).exists():
        needed.append(compiler)
    missing = [name for name in needed if not shutil.which(name, path="/usr/bin:/bin:/usr/sbin")]
    if missing:
        pytest.skip(f"{', '.join(missing)} missing: run `make deps`")
    compile_program(program, built)
    words = command(program, options, built)
    native = compare.run(words, timeout_s=program.timeout_s * PATIENCE)
    found = compare.run([str(km), *words], timeout_s=program.timeout_s * PATIENCE)
    wrong = compare.difference(native, found)
    assert native.stdout, "the native run says nothing"
    assert not wrong, f"\n{wrong}"


def test_every_file_is_a_program() -> None:
    """Each file of the corpus has an entry in the table, and each entry its file."""
    assert {path.name for path in CORPUS.iterdir()} == {program.file for program in PROGRAMS}
