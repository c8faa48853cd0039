# SPDX-License-Identifier: Apache-2.0
"""The tests are the same on a bare machine and on a Kontain host: a chosen set runs on the latter here.

Everything else that looks at this machine does it through a `Sandbox`, or through the namespaces of
tests/host and tests/preflight, all of which are in this set.
"""

from __future__ import annotations

import os
import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.sources import ROOT

from .sandbox import WHOLE_INSTALL, Sandbox

pytestmark = [
    *WHOLE_INSTALL,
    pytest.mark.skipif(
        not (ROOT / "build/bundle.sha256").exists(), reason="needs a bundle: run `make bundle`"
    ),
    pytest.mark.skipif(
        str(ROOT).startswith(("/tmp/", "/run/", "/var/tmp/")),  # noqa: S108  # only compared
        reason="this checkout is below a folder that a sandbox empties: put it elsewhere",
    ),
]

CHOSEN = (
    "tests/collection/test_sandbox.py",
    "tests/command/test_kontain_command.py",
    "tests/preflight/test_preflight_proofs.py",
)


def test_a_kontain_host_makes_no_difference() -> None:
    """After ./install.sh, the tests that look at the machine find what they found before."""
    passed_on = {
        name: value
        for name, value in os.environ.items()
        if name.startswith("PIP_") or name.lower().endswith("_proxy") or "PATIENCE" in name
    }
    plain = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", **passed_on}
    python = Path(sys.executable)
    with closing(Sandbox(own=["/var/tmp"])) as host:  # noqa: S108  # the sandbox's own
        installed = host.run(str(ROOT / "install.sh"), "--engines", "podman", env=plain)
        assert installed.returncode == 0, installed.stdout + installed.stderr
        assert host.run("kontain", "info", env=plain | {"PATH": "/usr/local/bin:/usr/bin"}).stdout
        command = [str(python), "-m", "pytest", "-q", "-rf", "-p", "no:cacheprovider", *CHOSEN]
        own = plain | {"PATH": f"{python.parent}:{plain['PATH']}"}
        ran = host.run("sh", "-c", f"cd {ROOT} && exec {' '.join(command)}", env=own)
    assert ran.returncode == 0, ran.stdout + ran.stderr
