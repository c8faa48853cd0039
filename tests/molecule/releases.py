# SPDX-License-Identifier: Apache-2.0
"""Releases of these sources under other version numbers, each made as its maker makes one."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[3]


class Releases:
    """Makes releases in a copy of the checkout, all with one signing key."""

    def __init__(self, folder: Path) -> None:
        """Copy the sources that git knows of, as they are now, and make the key."""
        self.tree = folder / "sources"
        self.key = folder / "key.pem"
        key = ["-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:3072", "-out", str(self.key)]
        subprocess.run(["openssl", "genpkey", *key], check=True, capture_output=True)
        listed = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, check=True, capture_output=True
        )
        for name in listed.stdout.decode().split("\0")[:-1]:
            if (ROOT / name).exists():
                place = self.tree / name
                place.parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, place)
        (self.tree / ".venv").symlink_to(ROOT / ".venv")

    def make(self, version: str) -> Path:
        """Make a release, and return the folder of what its maker publishes."""
        galaxy = self.tree / "galaxy.yml"
        text = re.sub(r"(?m)^version: .*$", f"version: {version}", galaxy.read_text("utf-8"))
        galaxy.write_text(text, "utf-8")
        shutil.rmtree(self.tree / "build", ignore_errors=True)
        # The tools are the checkout's, and are not set up anew from here.
        make = ["make", "-o", ".venv/.stamp", "dist", f"RELEASE_KEY={self.key}"]
        subprocess.run(make, cwd=self.tree, check=True, capture_output=True)
        return (self.tree / "build/dist").rename(self.tree.parent / version)
