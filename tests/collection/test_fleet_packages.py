# SPDX-License-Identifier: Apache-2.0
"""The one task of a fleet brings the packages that a bare host lacks."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path

import pytest

from tests.sources import ROOT, built_sum

from .sandbox import Sandbox, why_not

BUNDLE = next((ROOT / "build").glob("kontain-*-x86_64.tar.gz"), None)


@pytest.mark.slow
@pytest.mark.needs_root
@pytest.mark.needs_kvm
@pytest.mark.skipif(bool(why_not()), reason=why_not())
@pytest.mark.skipif(not BUNDLE, reason="needs a bundle: run `make bundle`")
@pytest.mark.skipif(not Path("/dev/kvm").exists(), reason="needs /dev/kvm")
def test_packages_of_what_is_missing_are_installed(artifact: Path) -> None:
    """A host without engine and backend is planned, gets both and Kontain in one task, and is proved."""
    environment = {
        "PATH": f"{Path(sys.executable).parent}:/usr/sbin:/usr/bin:/sbin:/bin",
        "HOME": "/root",
        "ANSIBLE_COLLECTIONS_PATH": "/srv/collections",
    }
    python = "ansible_python_interpreter=/usr/bin/python3"
    play = [
        "ansible-playbook",
        "-i",
        "bare,",
        "-c",
        "local",
        "kontain.platform.fleet",
        "-e",
        python,
    ]
    play += [
        "-e",
        f"kontain_bundle=/srv/bundle.tar.gz kontain_bundle_sha256={built_sum()}",
        "-e",
        '{"kontain_engines": ["podman"]}',
    ]
    with closing(Sandbox()) as bare:
        assert BUNDLE
        for path, file in (("/srv/c.tar.gz", artifact), ("/srv/bundle.tar.gz", BUNDLE)):
            bare.run("tee", path, input=file.read_bytes(), text=False).check_returncode()
        galaxy = ["ansible-galaxy", "collection", "install", "--offline", "-p", "/srv/collections"]
        bare.run(*galaxy, "/srv/c.tar.gz", env=environment).check_returncode()
        bare.run("apt-get", "-y", "purge", "podman", "crun", "runc").check_returncode()

        planned = bare.run(*play, "--check", env=environment)
        assert planned.returncode == 0, planned.stdout
        assert bare.run("sh", "-c", "command -v podman || ls /opt/kontain").returncode != 0

        made = bare.run(*play, env=environment)
        assert "changed=1" in made.stdout, made.stdout
        assert bare.run("/opt/kontain/bin/kontain", "verify").returncode == 0
