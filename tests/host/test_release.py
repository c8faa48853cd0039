# SPDX-License-Identifier: Apache-2.0
"""A release is installed next to others, switched to by a rename, and removed without a trace."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kontain_host import release
from kontain_host.errors import HostError
from kontain_host.uninstall import uninstall, withdraw

from .small_host import FILES, PYTHON_PATH, BundleMaker, SmallHost, snapshot

NEW = {**FILES, "bin/km": b"\x7fELF another km"}


def test_a_release_stands_where_the_architecture_says(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """The stable paths lead to the version; commands, manuals and the policy are in place."""
    report = release.install(host, make_bundle())
    tree = host.path("/opt/kontain/versions/0.1.0")
    assert (tree / "bin/km").read_bytes() == FILES["bin/km"]
    assert oct((tree / "bin/km").stat().st_mode) == "0o100755"
    assert oct((tree / "VERSION").stat().st_mode) == "0o100644"
    assert str(host.path("/opt/kontain/current").readlink()) == "versions/0.1.0"
    assert host.path("/opt/kontain/bin/km").samefile(tree / "bin/km")
    assert str(host.path("/usr/local/bin/km").readlink()) == "/opt/kontain/bin/km"
    assert not host.path("/usr/local/bin/krun").is_symlink()
    manual = host.path("/usr/local/share/man/man1/km.1")
    assert str(manual.readlink()) == "/opt/kontain/current/share/man/man1/km.1"
    assert host.path("/etc/kontain/krun.json").read_bytes() == b"{}\n"
    assert release.current_version(host) == "0.1.0"
    assert report.warnings == []


def test_a_second_run_changes_nothing(host: SmallHost, make_bundle: BundleMaker) -> None:
    """The same bundle again is no change."""
    release.install(host, make_bundle())
    before = snapshot(Path(host.root))
    assert not release.install(host, make_bundle()).changed
    assert snapshot(Path(host.root)) == before


def test_uninstall_leaves_the_host_as_it_was(host: SmallHost, make_bundle: BundleMaker) -> None:
    """Two releases and the bytecode of a user later, nothing is left."""
    before = snapshot(Path(host.root))
    release.install(host, make_bundle())
    release.install(host, make_bundle("0.2.0", NEW))
    cache = host.path("/opt/kontain/current/lib/python/krun/__pycache__")
    cache.mkdir()
    (cache / "x.cpython-311.pyc").write_bytes(b"bytecode")
    assert uninstall(host).left == []
    assert snapshot(Path(host.root)) == before


def test_a_foreign_command_stays(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A program of the same name is never replaced: the link is left out, with a warning."""
    host.path("/usr/local/bin/km").write_text("theirs")
    report = release.install(host, make_bundle())
    assert host.path("/usr/local/bin/km").read_text() == "theirs"
    assert report.warnings == [
        "/usr/local/bin/km is not Kontain's and stays; /opt/kontain/bin/km is not linked"
    ]
    uninstall(host)
    assert host.path("/usr/local/bin/km").read_text() == "theirs"


def test_a_policy_of_the_operator_stays(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A krun.json that is there is not touched, neither now nor at uninstall."""
    host.path("/etc/kontain").mkdir()
    host.path("/etc/kontain/krun.json").write_text('{"mine": 1}')
    release.install(host, make_bundle())
    uninstall(host)
    assert host.path("/etc/kontain/krun.json").read_text() == '{"mine": 1}'


def test_an_unknown_prefix_content_is_refused(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A foreign folder /opt/kontain/bin stops the run, which leaves nothing."""
    host.path("/opt/kontain/bin").mkdir(parents=True)
    before = snapshot(Path(host.root))
    with pytest.raises(
        HostError, match="/opt/kontain/bin: a directory is there that was not made"
    ):
        release.install(host, make_bundle())
    assert snapshot(Path(host.root)) == before


def test_another_build_of_a_version_stands_beside_it(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """A tree is never replaced: its programs keep running, and the switch is one rename."""
    release.install(host, make_bundle())
    release.install(host, make_bundle(files=NEW))
    assert host.path("/opt/kontain/versions/0.1.0/bin/km").read_bytes() == FILES["bin/km"]
    assert host.path("/opt/kontain/bin/km").read_bytes() == NEW["bin/km"]


def test_a_damaged_release_is_installed_anew(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A run over a changed file puts a good tree next to it and switches; the edit stays."""
    before = snapshot(Path(host.root))
    release.install(host, make_bundle())
    damaged = host.path("/opt/kontain/versions/0.1.0/bin/km")
    damaged.write_bytes(b"edited")
    assert release.install(host, make_bundle()).changed
    assert host.path("/opt/kontain/bin/km").read_bytes() == FILES["bin/km"]
    assert damaged.read_bytes() == b"edited"
    report = uninstall(host)
    tree = "/opt/kontain/versions/0.1.0"
    assert report.left[0] == {
        "path": tree,
        "why": "another user or program changed or added bin/km",
    }
    assert snapshot(host.path(tree)).keys() == {"bin", "bin/km"}
    shutil.rmtree(host.path("/opt/kontain"))
    assert snapshot(Path(host.root)) == before


def test_the_previous_version_stays_and_older_ones_go(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """After two upgrades the first version is collected and the second is kept for a way back."""
    for version in ("0.1.0", "0.2.0", "0.3.0"):
        release.install(host, make_bundle(version))
    versions = [item.name for item in host.path("/opt/kontain/versions").iterdir()]
    assert sorted(versions) == ["0.2.0", "0.3.0"]


def test_links_that_a_new_version_has_no_use_for_go(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """A command that is no more is not left as a link to nothing."""
    release.install(host, make_bundle("0.1.0", {**FILES, "bin/old": b"old"}))
    assert host.path("/usr/local/bin/old").is_symlink()
    release.install(host, make_bundle("0.2.0"))
    assert not host.path("/usr/local/bin/old").is_symlink()
    assert host.path("/usr/local/bin/km").is_symlink()


def test_a_version_that_runs_is_not_collected(host: SmallHost, make_bundle: BundleMaker) -> None:
    """A program that runs from an old version keeps it; uninstall names it and refuses."""
    sleep = Path(shutil.which("sleep") or "/bin/sleep").read_bytes()
    release.install(host, make_bundle("0.1.0", {**FILES, "bin/km": sleep}))
    with subprocess.Popen([str(host.path("/opt/kontain/bin/km")), "60"]) as process:
        try:
            for version in ("0.2.0", "0.3.0"):
                release.install(host, make_bundle(version))
            assert host.path("/opt/kontain/versions/0.1.0/bin/km").exists()
            with pytest.raises(HostError, match=f"these run by it: process {process.pid} "):
                uninstall(host)
        finally:
            process.kill()
    release.install(host, make_bundle("0.4.0"))
    assert not host.path("/opt/kontain/versions/0.1.0").exists()


def test_the_release_is_not_removed_below_an_engine(
    host: SmallHost, make_bundle: BundleMaker
) -> None:
    """While an engine knows the runtime, the release alone cannot go."""
    from kontain_host import engines  # noqa: PLC0415
    from kontain_host.transaction import perform  # noqa: PLC0415

    release.install(host, make_bundle())
    perform(host, "podman", lambda report: engines.plan(host, "podman", report))
    with pytest.raises(HostError, match="these engines know its runtime: podman"):
        withdraw(host, "release")


def test_python_is_compiled_for_the_commands(host: SmallHost, make_bundle: BundleMaker) -> None:
    """The bytecode is in the tree, names the final path, and is loaded by `python3 -IS`."""
    if not Path("/usr/bin/python3").exists():
        pytest.skip("needs /usr/bin/python3: install the package python3")

    class RealCommands(SmallHost):
        run = super(SmallHost, host).run

    real = RealCommands(Path(host.root))
    real.path("/usr/bin/python3").symlink_to("/usr/bin/python3")
    release.install(real, make_bundle(files={**FILES, "lib/python/krun/a.py": b"def f(): 1/0\n"}))
    package = host.path("/opt/kontain/versions/0.1.0/lib/python/krun")
    assert sorted(item.name.split(".")[0] for item in (package / "__pycache__").iterdir()) == [
        "__init__",
        "a",
    ]
    assert uninstall(host).left == []


@pytest.mark.needs_root
def test_a_full_disk_leaves_nothing_half_done(tmp_path: Path, make_bundle: BundleMaker) -> None:
    """On a disk of any size that is too small, the run fails clearly and the host is as before."""
    if os.geteuid() != 0:
        pytest.skip("needs root to mount a small disk: run the tests with sudo")
    bundle = make_bundle(files={**FILES, "share/big": os.urandom(300_000)})
    script = Path(__file__).with_name("fill_disk.py")
    command = ["unshare", "--mount", sys.executable, str(script), str(bundle), str(tmp_path)]
    done = subprocess.run(
        command, env=PYTHON_PATH, capture_output=True, text=True, check=False, timeout=300
    )
    assert (done.stdout.splitlines()[-1:], done.stderr) == (["failed and installed"], "")
