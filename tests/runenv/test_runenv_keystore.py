# SPDX-License-Identifier: Apache-2.0
"""Java reads the keystore that is made without it."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kontain_runenv.keystore import make_keystore
from tests.krun.support import need_programs

CERTIFICATES = Path("/etc/ssl/certs/ca-certificates.crt")


def test_keytool_lists_every_certificate(tmp_path: Path) -> None:
    """Java's own tool checks the sum at the end and counts as many certificates as there are."""
    need_programs("keytool")
    if not CERTIFICATES.exists():
        pytest.skip(f"{CERTIFICATES} is missing: install the Debian package ca-certificates")
    bundle = CERTIFICATES.read_text()
    (tmp_path / "store").write_bytes(make_keystore(bundle))
    command = ["keytool", "-list", "-storepass", "changeit", "-keystore", str(tmp_path / "store")]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout

    assert listed.count("trustedCertEntry") == bundle.count("BEGIN CERTIFICATE")
