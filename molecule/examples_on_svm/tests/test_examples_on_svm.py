# SPDX-License-Identifier: Apache-2.0
"""The examples' own tests on a host with real SVM, with images and programs that are made here.

The machine has no registry and no compilers: it gets the language images as archives, and the
examples' folders as their pages leave them before `podman build`.
"""

from __future__ import annotations

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tests.examples.prepare import EXAMPLES, parents, prepare
from tests.runenv.support import image
from tools.vm.suite import KRUN_PARTS, ROOT, run_tests, send

THERE = "/root/kontain-examples"
PARTS = (*KRUN_PARTS, "host", "runenv", "tests/runenv", "tests/examples", "examples/README.md")


@pytest.fixture(scope="module")
def folder(host: Host, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the machine with the examples, their images, krun and the tests."""
    here = tmp_path_factory.mktemp("examples")
    (here / "images").mkdir()
    for example in EXAMPLES:
        prepare(example.name, here / "examples" / example.name)
    for name in set().union(*map(parents, EXAMPLES)):
        (here / "images" / f"{name}.tar").write_bytes(image(name).archive)
    tree, made = ["-C", str(ROOT), *PARTS], ["-C", str(here), "examples", "images"]
    send(host, here.with_suffix(".tar.gz"), THERE, *tree, *made)
    return THERE


@pytest.mark.parametrize("engine", ["podman", "docker"])
def test_examples_pass_their_tests(host: Host, folder: str, engine: str) -> None:
    """Each example is built and does what it is for under the engine, without a failed request."""
    # Its /tmp is memory, which an engine's images would take from the programs.
    places = {"KONTAIN_TEST_IMAGES": f"{folder}/images", "TMPDIR": folder}
    run_tests(host, folder, f"-k {engine} tests/examples", **places)
