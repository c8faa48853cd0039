# SPDX-License-Identifier: Apache-2.0
"""krun's tests, sent to a host with real SVM and run there with its own Python and pytest.

The short set has podman over crun and docker over runc, as the distribution has them, and what a
hostile image, document or annotation tries, over both; the long one each engine over both, and every file that needs no tools of a developer.
"""

from __future__ import annotations

import os

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

from tools.vm.suite import KRUN_PARTS, ROOT, run_tests, send

THERE = "/root/kontain-sources"

WHOLE = os.environ.get("KONTAIN_VMS") == "all"
SHORT = ("under_engines", "in_engines_whole", "only_in_a_vm", "life")
ATTACKS = ("annotations", "direct", "noexec_hook", "policy", "schema")
LONG = (
    "as_its_backend",
    "direct",
    "errors",
    "every_way_out",
    "launcher",
    "options",
    "ordinary_images",
    "show",
)
SELECTION = "" if WHOLE else "-k 'docker-runc or (crun and not docker-crun)'"


@pytest.fixture(scope="module")
def sources(host: Host, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The folder of the VM with krun, its tests and what they need of the build."""
    archive = tmp_path_factory.mktemp("krun") / "sources.tar.gz"
    send(host, archive, THERE, "-C", str(ROOT), *KRUN_PARTS)
    return THERE


@pytest.mark.parametrize("name", (*SHORT, *ATTACKS, *LONG) if WHOLE else (*SHORT, *ATTACKS))
def test_krun_passes_its_tests(host: Host, sources: str, name: str) -> None:
    """Each test of the file passes on this host, or says what it skips."""
    run_tests(host, sources, f"{SELECTION} tests/krun/test_krun_{name}.py")
