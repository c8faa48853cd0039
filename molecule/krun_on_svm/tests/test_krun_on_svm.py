# SPDX-License-Identifier: Apache-2.0
"""krun's tests, sent to a host with real SVM and run there with its own Python and pytest.

The short set has podman over crun and docker over runc, as the distribution has them; the long one
each engine over both, and every file that needs no tools of a developer.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

ROOT = Path(__file__).resolve().parents[3]
PARTS = (
    "krun",
    "build/krun",
    "build/km/km",
    "build/hello.km",
    "pyproject.toml",
    "tools/version",
    "galaxy.yml",
)
THERE = "/root/kontain-sources"
PATIENCE = 10  # an emulated CPU, on a machine that may have other work

WHOLE = os.environ.get("KONTAIN_VMS") == "all"
SHORT = ("under_engines", "in_engines_whole", "only_in_a_vm", "life")
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
    pack = ["tar", "-C", str(ROOT), "--exclude=__pycache__", "-czf", str(archive), *PARTS]
    subprocess.run(pack, check=True)
    vm = [sys.executable, str(ROOT / "molecule/shared/vm.py")]
    copy = [*vm, "copy", host.backend.host.name, str(archive), f"{THERE}.tar.gz"]
    subprocess.run(copy, check=True)
    host.check_output(f"mkdir -p {THERE} && tar -C {THERE} -xzf {THERE}.tar.gz")
    return THERE


@pytest.mark.parametrize("name", (*SHORT, *LONG) if WHOLE else SHORT)
def test_krun_passes_its_tests(host: Host, sources: str, name: str) -> None:
    """Each test of the file passes on this host, or says what it skips."""
    done = host.run(
        f"cd {sources} && KRUN_TEST_PATIENCE={PATIENCE} python3 -m pytest -q -rs --color=no"
        f" -p no:cacheprovider {SELECTION} krun/tests/test_krun_{name}.py"
    )
    print(done.stdout.splitlines()[-1])
    assert done.rc == 0, f"\n{done.stdout}{done.stderr}"
