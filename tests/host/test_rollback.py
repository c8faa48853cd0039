# SPDX-License-Identifier: Apache-2.0
"""`kontain rollback` switches to the version before, at once, exactly, and back again."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from kontain_host import explain, release
from kontain_host.errors import HostError
from kontain_host.rollback import rollback
from kontain_host.uninstall import uninstall

from .small_host import FILES, BundleMaker, SmallHost, snapshot

OLD = {**FILES, "bin/old-tool": b"#!/bin/sh\n"}
NEW = {**FILES, "bin/km": b"\x7fELF another km", "bin/new-tool": b"#!/bin/sh\n"}


@pytest.fixture
def upgraded(host: SmallHost, make_bundle: BundleMaker) -> SmallHost:
    """Return a host with 0.1.0 and, in use, 0.2.0."""
    release.install(host, make_bundle(files=OLD))
    release.install(host, make_bundle("0.2.0", NEW))
    return host


def commands(host: SmallHost) -> set[str]:
    """Return the commands that a user finds."""
    return {place.name for place in host.path("/usr/local/bin").iterdir()}


def test_rollback_goes_to_the_version_before_and_forward_again(upgraded: SmallHost) -> None:
    """The programs and commands are those of the other version; both trees stay."""
    assert commands(upgraded) == {"km", "kontain", "new-tool"}
    assert explain.info(upgraded)["before"] == "0.1.0"
    report = rollback(upgraded)
    assert [change["path"] for change in report.changes][:1] == ["/opt/kontain/current"]
    assert release.current_version(upgraded) == "0.1.0"
    assert commands(upgraded) == {"km", "kontain", "old-tool"}
    rollback(upgraded)
    assert release.current_version(upgraded) == "0.2.0"
    assert commands(upgraded) == {"km", "kontain", "new-tool"}
    assert sorted(explain.info(upgraded)["versions"]) == ["0.1.0", "0.2.0"]


def test_rollback_takes_less_than_a_second(upgraded: SmallHost) -> None:
    """No tree is copied: the best of some counts, for on a busy machine all take their time."""
    took: list[float] = []
    while not took or (min(took) > 1 and len(took) < 20):
        began = time.monotonic()
        rollback(upgraded)
        took.append(time.monotonic() - began)
    assert min(took) < 1


def test_uninstall_after_rollbacks_is_exact(host: SmallHost, make_bundle: BundleMaker) -> None:
    """However often one goes back and forth, uninstall leaves the host as before."""
    before = snapshot(Path(host.root))
    release.install(host, make_bundle(files=OLD))
    release.install(host, make_bundle("0.2.0", NEW))
    for _ in range(3):
        rollback(host)
    assert uninstall(host).left == []
    assert snapshot(Path(host.root)) == before


def test_an_upgrade_after_a_rollback_collects_the_version_left(
    upgraded: SmallHost, make_bundle: BundleMaker
) -> None:
    """The version that was rolled back from goes when a third one comes; the one in use stays."""
    rollback(upgraded)
    release.install(upgraded, make_bundle("0.3.0", {**NEW, "bin/km": b"\x7fELF third"}))
    assert sorted(explain.info(upgraded)["versions"]) == ["0.1.0", "0.3.0"]
    assert explain.info(upgraded)["before"] == "0.1.0"


def test_a_look_changes_nothing(upgraded: SmallHost) -> None:
    """With `check`, what would be done is said, and not done."""
    before = snapshot(Path(upgraded.root))
    assert rollback(upgraded, check=True).changed
    assert snapshot(Path(upgraded.root)) == before


def test_without_a_version_before_it_says_so(host: SmallHost, make_bundle: BundleMaker) -> None:
    """On a bare host, and after a first installation, there is nothing to go back to."""
    for _ in range(2):
        before = snapshot(Path(host.root))
        with pytest.raises(HostError, match="there is no version before"):
            rollback(host)
        assert snapshot(Path(host.root)) == before
        release.install(host, make_bundle())


@pytest.mark.parametrize("damage", ["bin/km", "MANIFEST"])
def test_a_damaged_version_is_not_gone_back_to(upgraded: SmallHost, damage: str) -> None:
    """A tree whose files are not those that were installed is refused, and named."""
    upgraded.path(f"/opt/kontain/versions/0.1.0/{damage}").write_text("damaged")
    before = snapshot(Path(upgraded.root))
    with pytest.raises(HostError, match=f"is not as it was installed: {damage}"):
        rollback(upgraded)
    assert snapshot(Path(upgraded.root)) == before
