# SPDX-License-Identifier: Apache-2.0
"""The corpus on a CPU with real SVM: a program does in a VM what it does natively there.

The distribution's programs are those of the image; the tests are sent, with km.
"""

from __future__ import annotations

import pytest
from programs import PROGRAMS
from suite import ROOT, run_tests, send
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

THERE = "/root/kontain-sources"
PARTS = ("km/tests", "build/km/km", "pyproject.toml")


@pytest.fixture(scope="module")
def sources(host: Host, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the VM with km, the corpus and the test that compares."""
    archive = tmp_path_factory.mktemp("corpus") / "sources.tar.gz"
    send(host, archive, THERE, "-C", str(ROOT), *PARTS)
    return THERE


@pytest.mark.parametrize("file", [program.file for program in PROGRAMS])
def test_program_is_the_same_in_a_vm(host: Host, sources: str, file: str) -> None:
    """Standard output, standard error, status and files are those of the native run there."""
    run_tests(host, sources, f"km/tests/test_programs.py -k 'test_program and {file}'")
