# SPDX-License-Identifier: Apache-2.0
"""`kontain support` collects what a report needs, and no secret."""

from __future__ import annotations

import json
import os
import tarfile
from pathlib import Path

import pytest

from kontain_host import install, support

from .small_host import BundleMaker, SmallHost

SECRET = "hunter2-S3cr3t"  # noqa: S105  it must not get out
PLANTED = f"""{{
  "proxies": {{"http-proxy": "http://bob:{SECRET}@proxy.example:3128"}},
  "log-opts": {{"splunk-token": "{SECRET}", "tag": "kept"}},
  "registry_password": "{SECRET}",
  "auths": {{"registry.example": "{SECRET}"}},
  "debug": true
}}
"""


@pytest.mark.parametrize(
    "text",
    [
        f"password={SECRET}",
        f"PASSWORD: '{SECRET} with blanks'",
        f'"api_key": "{SECRET}"',
        f"aws_secret_access_key = {SECRET}",
        f"--registry-token {SECRET} --debug",
        f"Authorization: Bearer {SECRET}",
        f"https://user:{SECRET}@example.com/x",
        f"https://{SECRET}@example.com/x",
        f'"auth": ["x", "{SECRET}"]',
        f"-----BEGIN RSA PRIVATE KEY-----\n{SECRET}\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN OPENSSH PRIVATE KEY-----\n{SECRET}",
        f'"token": "a\\"{SECRET}"',
    ],
)
def test_a_secret_is_taken_out(text: str) -> None:
    """A secret in any form goes; and the text around it stays."""
    cleaned = support.redact(f"before {text} after\nnext line")
    assert SECRET not in cleaned
    assert cleaned.startswith("before ")
    assert "(removed)" in cleaned


@pytest.mark.parametrize(
    "text",
    [
        '{"runtimes": {"kontain": {"path": "/opt/kontain/bin/krun"}}}',
        "https://example.com/path?x=1",
        "kvm_amd 155648 0 - Live 0x0000000000000000",
        '"reason": "so that a shell or man finds it"',
    ],
)
def test_what_is_no_secret_stays(text: str) -> None:
    """Paths, addresses and reasons are what a report is for."""
    assert support.redact(text, "myhost") == text


def test_the_name_of_the_host_is_taken_out() -> None:
    """The host's own name goes where it stands as a word."""
    assert support.redact("at myhost: x, myhosts", "myhost") == "at HOST: x, myhosts"


def test_the_archive_holds_state_and_no_secret(
    host: SmallHost, make_bundle: BundleMaker, tmp_path: Path
) -> None:
    """Journal, configurations and logs are in it; before-images and secrets are not."""
    host.path("/etc/docker").mkdir()
    host.path("/etc/docker/daemon.json").write_text(PLANTED)
    host.add_command("dockerd", 1, "unknown flag")
    install.install(host, make_bundle(), ["docker"])
    host.path("/var/log/kontain").mkdir(parents=True)
    host.path("/var/log/kontain/install.log").write_text(f"https_proxy=http://u:{SECRET}@p\n")
    file = tmp_path / "support.tar.gz"
    names = support.write(host, file, {"schema": 1}, {"probe.txt": "result=ok token=abc"})
    assert oct(file.stat().st_mode & 0o777) == "0o600"
    with tarfile.open(file) as archive:
        texts = {
            member.name.partition("/")[2]: (archive.extractfile(member) or b"").read().decode()  # type: ignore[union-attr]
            for member in archive
        }
    assert list(texts) == names
    assert {"check.json", "info.json", "var/lib/kontain/journal.jsonl"} <= set(texts)
    assert {"etc/docker/daemon.json", "var/log/kontain/install.log"} <= set(texts)
    assert not [name for name in texts if "before" in name]
    assert not [name for name, text in texts.items() if SECRET in text]
    config = json.loads(texts["etc/docker/daemon.json"])
    assert config["debug"] is True
    assert config["log-opts"]["tag"] == "kept"
    assert config["runtimes"]["kontain"]["path"] == "/opt/kontain/bin/krun"
    assert os.uname().nodename not in texts["info.json"]


def test_a_file_that_is_there_is_not_overwritten(host: SmallHost, tmp_path: Path) -> None:
    """An archive of that name, or a link, stays as it is."""
    file = tmp_path / "support.tar.gz"
    file.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(FileExistsError):
        support.write(host, file, {}, {})
    assert not (tmp_path / "elsewhere").exists()
