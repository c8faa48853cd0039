# SPDX-License-Identifier: Apache-2.0
"""The corpus on a CPU with real SVM: a program does the same in a VM and on the host.

The distribution's programs are those of the image; the tests are sent, with km and the compiled
programs.
"""

from __future__ import annotations

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tests.km.programs import PROGRAMS, compile_program
from tools.vm.suite import ROOT, run_tests, send

THERE = "/root/kontain-sources"
PARTS = ("tests/__init__.py", "tests/km", "build/km/km", "pyproject.toml")


@pytest.fixture(scope="module")
def sources(host: Host, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the VM with km, the corpus and the test that compares."""
    folder = tmp_path_factory.mktemp("corpus")
    for program in PROGRAMS:
        compile_program(program, folder / "built")
    sent = [f"built/{path.name}" for path in (folder / "built").iterdir() if path.name != "go"]
    archive = folder / "sources.tar.gz"
    send(host, archive, THERE, "-C", str(ROOT), *PARTS, "-C", str(folder), *sent)
    return THERE


@pytest.mark.parametrize("file", [program.file for program in PROGRAMS])
def test_program_is_the_same_in_a_vm(host: Host, sources: str, file: str) -> None:
    """Standard output, standard error, status and files are those of the native run there."""
    test = f"tests/km/test_programs.py -k 'test_program and {file}'"
    run_tests(host, sources, test, KM_TEST_BUILT=f"{THERE}/built")
