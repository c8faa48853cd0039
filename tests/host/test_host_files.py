# SPDX-License-Identifier: Apache-2.0
"""Files are replaced whole, or not at all."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from kontain_host.errors import HostError
from kontain_host.files import Meta, link_atomic, read_state, temporary_name, write_atomic
from kontain_host.host import Host

from .small_host import SmallHost


def test_a_new_file_has_the_wanted_mode_under_any_umask(tmp_path: Path) -> None:
    """The mode of a file is the wanted one, whatever the umask."""
    before = os.umask(0o077)
    try:
        write_atomic(tmp_path / "a", b"x", Meta(0o644), temporary_name("a"))
    finally:
        os.umask(before)
    assert read_state(tmp_path / "a")["mode"] == 0o644


def test_a_failed_write_leaves_the_old_file_and_no_draft(tmp_path: Path) -> None:
    """Where the rename is impossible, all is as before."""
    (tmp_path / "a").mkdir()
    (tmp_path / "a/b").touch()
    with pytest.raises(OSError, match="a"):
        write_atomic(tmp_path / "a", b"x", Meta(), ".draft")
    assert sorted(item.name for item in tmp_path.iterdir()) == ["a"]


def test_a_draft_that_somebody_placed_is_not_followed(tmp_path: Path) -> None:
    """A symbolic link in the place of the draft is refused, and its target stays."""
    (tmp_path / "target").write_text("theirs")
    (tmp_path / ".draft").symlink_to("target")
    with pytest.raises(FileExistsError):
        write_atomic(tmp_path / "a", b"x", Meta(), ".draft")
    assert (tmp_path / "target").read_text() == "theirs"


def test_temporary_names_differ() -> None:
    """Nobody can foresee the name of a draft."""
    assert temporary_name("a") != temporary_name("a")


def test_a_link_is_replaced_in_one_step(tmp_path: Path) -> None:
    """A link that exists is switched; no draft stays."""
    (tmp_path / "link").symlink_to("one")
    link_atomic(tmp_path / "link", "two", ".draft")
    assert read_state(tmp_path / "link") == {"type": "link", "target": "two"}
    assert [item.name for item in tmp_path.iterdir()] == ["link"]


@pytest.mark.parametrize("prefix", ["", "/", "opt", "/opt/../etc", "/opt//kontain", "/opt/\n"])
def test_a_prefix_that_is_not_stable_is_refused(prefix: str) -> None:
    """A prefix is an absolute path below / in its normal form."""
    with pytest.raises(HostError, match="To fix: give the prefix /opt/kontain"):
        Host(prefix=prefix)


def test_links_of_a_host_are_followed_inside_of_it(host: SmallHost) -> None:
    """An absolute link of a host in a folder leads to a path of that host."""
    host.path("/etc/a").symlink_to("/opt/b")
    host.path("/opt/b").symlink_to("../var/c")
    assert host.resolve("/etc/a") == "/var/c"


def test_a_circle_of_links_is_an_error(host: SmallHost) -> None:
    """Links without an end are refused."""
    host.path("/etc/a").symlink_to("a")
    with pytest.raises(HostError, match="passes more than 40 symbolic links"):
        host.resolve("/etc/a")


def test_two_runs_at_once_are_refused(host: SmallHost) -> None:
    """A second run ends at once with a message, and the first continues."""
    with host.lock(), pytest.raises(HostError, match="another run is changing it"), host.lock():
        pass
    with host.lock():
        pass
