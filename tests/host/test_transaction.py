# SPDX-License-Identifier: Apache-2.0
"""Changes stand or fall together, and what others change is never overwritten."""

from __future__ import annotations

from pathlib import Path

import pytest

from kontain_host.changes import Change, Directory, File, Link
from kontain_host.errors import HostError
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall, withdraw

from .small_host import SmallHost, snapshot


def _file(content: bytes, path: str = "/etc/new/a.conf") -> File:
    return File(path, "part", "a test wants it", content)


def test_uninstall_is_the_exact_inverse(host: SmallHost) -> None:
    """After many changes of every simple kind, the host is as before to the byte."""
    before = snapshot(Path(host.root))
    for round_ in (b"one", b"two", b"three"):
        perform(
            host,
            "test",
            lambda _, content=round_: [  # type: ignore[misc]
                _file(content),
                Link("/opt/deep/er/link", "part", "why", f"to-{content.decode()}"),
                Directory("/var/lib/mine", "part", "why"),
            ],
        )
    assert host.path("/etc/new/a.conf").read_bytes() == b"three"
    report = uninstall(host)
    assert report.left == []
    assert snapshot(Path(host.root)) == before


def test_a_failing_step_takes_the_others_back(host: SmallHost) -> None:
    """When one change of a plan fails, the host is as before the run."""
    before = snapshot(Path(host.root))
    host.path("/opt/foreign").write_text("theirs")
    changes: list[Change] = [_file(b"x"), Link("/opt/foreign", "part", "why", "x")]
    with pytest.raises(
        HostError, match="/opt/foreign: a file is there that was not made by Kontain"
    ):
        perform(host, "test", lambda _: changes)
    host.path("/opt/foreign").unlink()
    assert snapshot(Path(host.root)) == before


def test_an_error_of_the_system_becomes_two_lines(host: SmallHost) -> None:
    """A change that the system refuses is named, with its path, and undone."""
    before = snapshot(Path(host.root))
    with pytest.raises(HostError) as caught:
        perform(host, "test", lambda _: [_file(b"x"), _file(b"x", "/etc/passwd/below")])
    assert "cannot make the" in str(caught.value)
    assert "/etc/passwd" in str(caught.value)
    assert "\nTo fix: " in str(caught.value)
    assert snapshot(Path(host.root)) == before


def test_check_mode_says_what_the_run_does(host: SmallHost) -> None:
    """Check mode changes nothing and names exactly the changes that the run then makes."""
    changes = [_file(b"x"), _file(b"y", "/etc/new/b.conf"), Link("/opt/l", "part", "why", "x")]
    before = snapshot(Path(host.root))
    foreseen = perform(host, "test", lambda _: changes, check=True)
    assert snapshot(Path(host.root)) == before
    done = perform(host, "test", lambda _: changes)
    assert (foreseen.changes, foreseen.diff) == (done.changes, done.diff)
    assert [item["before"] for item in foreseen.diff] == ["", "", ""]
    assert not perform(host, "test", lambda _: changes, check=True).changed


def test_an_edit_of_our_file_is_not_overwritten(host: SmallHost) -> None:
    """A run that would overwrite a foreign edit refuses, and says which file."""
    perform(host, "test", lambda _: [_file(b"one")])
    host.path("/etc/new/a.conf").write_text("edited")
    with pytest.raises(HostError, match="was changed since Kontain made it"):
        perform(host, "test", lambda _: [_file(b"two")])
    assert host.path("/etc/new/a.conf").read_text() == "edited"


def test_an_edit_of_our_file_survives_uninstall_and_is_named(host: SmallHost) -> None:
    """An edited file stays, with the folder that holds it, and is reported."""
    perform(host, "test", lambda _: [_file(b"one")])
    host.path("/etc/new/a.conf").write_text("edited")
    edited, folder = uninstall(host).left
    assert (edited["path"], edited["why"]) == (
        "/etc/new/a.conf",
        "another user or program changed it since",
    )
    assert "+edited" in edited["difference"]
    assert folder == {"path": "/etc/new", "why": "it holds a.conf"}
    assert host.path("/etc/new/a.conf").read_text() == "edited"


def test_a_file_that_somebody_removed_is_made_again(host: SmallHost) -> None:
    """A removed file of ours comes back with the next run, and uninstall removes it."""
    before = snapshot(Path(host.root))
    perform(host, "test", lambda _: [_file(b"one")])
    host.path("/etc/new/a.conf").unlink()
    assert perform(host, "test", lambda _: [_file(b"one")]).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_a_mode_that_somebody_set_stays(host: SmallHost) -> None:
    """Going back to an older content does not widen a file that its owner closed."""
    perform(host, "one", lambda _: [_file(b"one")])
    perform(host, "two", lambda _: [File("/etc/new/a.conf", "later", "why", b"two")])
    host.path("/etc/new/a.conf").chmod(0o600)
    withdraw(host, "later")
    assert host.path("/etc/new/a.conf").read_bytes() == b"one"
    assert host.path("/etc/new/a.conf").stat().st_mode & 0o777 == 0o600


def test_a_link_that_somebody_moved_stays(host: SmallHost) -> None:
    """A link that leads elsewhere by now is left."""
    perform(host, "test", lambda _: [Link("/opt/l", "part", "why", "ours")])
    host.path("/opt/l").unlink()
    host.path("/opt/l").symlink_to("theirs")
    assert uninstall(host).left == [
        {"path": "/opt/l", "why": "another user or program changed it since"}
    ]


def test_one_part_can_be_taken_back(host: SmallHost) -> None:
    """`withdraw` touches the changes of its part only."""
    perform(host, "a", lambda _: [_file(b"one")])
    perform(host, "b", lambda _: [Link("/opt/l", "other", "why", "x")])
    withdraw(host, "other")
    assert host.path("/etc/new/a.conf").exists()
    assert not host.path("/opt/l").is_symlink()
