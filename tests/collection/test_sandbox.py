# SPDX-License-Identifier: Apache-2.0
"""The copy of this system that tests change: it begins without Kontain, whatever this machine has."""

from __future__ import annotations

import tempfile
from contextlib import closing

import pytest

from . import sandbox as sandboxes
from .sandbox import KONTAIN, Sandbox, why_not

pytestmark = pytest.mark.needs_root


def test_it_begins_without_kontain(sandbox: Sandbox) -> None:
    """Neither a release nor a journal, nor a runtime in an engine's configuration, is there."""
    found = sandbox.run("sh", "-c", f"ls -d {' '.join(KONTAIN)} /usr/local/bin/km")
    assert found.stdout == ""
    named = sandbox.run("grep", "-rl", "/opt/kontain", "/etc/containers", "/etc/docker")
    assert named.stdout == ""
    assert sandbox.changes() == {}


@pytest.mark.skipif(bool(why_not()), reason=why_not())
def test_what_an_uninstallation_left_is_not_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """A part of Kontain that this machine's own file system has is gone, and that is no change."""
    with tempfile.TemporaryDirectory(prefix="kontain-left-", dir="/opt") as left:
        monkeypatch.setattr(sandboxes, "KONTAIN", (*KONTAIN, left))
        with closing(Sandbox()) as bare:
            assert bare.run("ls", "-d", left).returncode != 0
            assert bare.changes() == {}
            assert bare.run("mkdir", left).returncode == 0
            assert bare.changes() == {left: "new"}


def test_it_tells_what_was_changed(sandbox: Sandbox) -> None:
    """New, changed and deleted files are listed; a file that was changed back is not."""
    script = """
    mkdir -p /opt/kontain/bin && echo new >/opt/kontain/bin/km
    echo more >>/etc/passwd && rm /etc/group
    cp -p /etc/hosts /etc/hosts.new && mv /etc/hosts.new /etc/hosts
    touch /etc/gone && rm /etc/gone
    """
    assert sandbox.run("sh", "-ec", script).returncode == 0
    assert sandbox.changes() == {
        "/opt/kontain": "new",
        "/opt/kontain/bin": "new",
        "/opt/kontain/bin/km": "new",
        "/etc/passwd": "changed",
        "/etc/group": "deleted",
    }
    assert sandbox.run("rm", "-r", "/opt/kontain").returncode == 0
    assert set(sandbox.changes()) == {"/etc/passwd", "/etc/group"}
