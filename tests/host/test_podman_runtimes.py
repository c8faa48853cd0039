# SPDX-License-Identifier: Apache-2.0
"""podman knows the runtime by one drop-in file, and by nothing else."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import tomllib

from kontain_host import engines
from kontain_host.engines.podman import DROP_IN
from kontain_host.errors import HOST_REFUSED, HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall

from .fake_podman import podman_of
from .small_host import PYTHON_PATH, SmallHost, snapshot
from .toml_corpus import REAL

KRUN = "/opt/kontain/bin/krun"


def register(host: SmallHost, *, replace: bool = False) -> Report:
    """Register the runtime in podman."""
    wish = engines.Registration(replace=replace)
    return perform(host, "podman", lambda report: engines.plan(host, "podman", report, wish))


@pytest.fixture
def podman(host: SmallHost) -> SmallHost:
    """Return a host with podman 4.3."""
    host.add_program("podman", podman_of(host, "podman version 4.3.1\n"))
    return host


def test_the_drop_in_has_both_names(podman: SmallHost) -> None:
    """Both names lead to the stable path; a second run changes nothing; uninstall is exact."""
    before = snapshot(Path(podman.root))
    assert register(podman).warnings == []
    lines = podman.path(DROP_IN).read_text().splitlines()[5:]
    assert lines == ["[engine.runtimes]", f'kontain = ["{KRUN}"]', f'krun = ["{KRUN}"]']
    assert not register(podman).changed
    uninstall(podman)
    assert snapshot(Path(podman.root)) == before


def test_podman_knows_what_the_runtime_can(podman: SmallHost) -> None:
    """Errors as JSON, KVM, no cgroups: our names join podman's own lists, and those of its files."""
    config = podman.path("/etc/containers/containers.conf")
    config.parent.mkdir()
    config.write_text('[engine]\nruntime_supports_nocgroup = [\n  "crun",\n  "theirs",\n]\n')
    register(podman)
    section = podman.path(DROP_IN).read_text().partition("[engine.runtimes]")[0]
    lists = dict(line.split(" = ") for line in section.splitlines()[2:])
    assert {"crun", "runc", "kontain"} <= set(json.loads(lists["runtime_supports_json"]))
    assert json.loads(lists["runtime_supports_kvm"]) == ["kata", "kontain", "krun"]
    assert {"kontain", "theirs"} <= set(json.loads(lists["runtime_supports_nocgroup"]))


def test_a_podman_that_comes_later_is_no_matter(host: SmallHost) -> None:
    """Without podman the file is made, with the one warning, and nothing is asked."""
    assert register(host).warnings == ["podman is not on this host yet"]
    assert host.path(DROP_IN).exists()
    assert host.ran == []


def test_libkrun_keeps_its_name(podman: SmallHost) -> None:
    """Where the host has a program krun, only "kontain" is registered."""
    podman.add_command("krun")
    register(podman)
    assert "\nkrun =" not in podman.path(DROP_IN).read_text()
    assert "kontain =" in podman.path(DROP_IN).read_text()


@pytest.mark.parametrize(
    "text",
    [
        'runtime_supports_json = [\r\n "crun", # ] and "not this"\r\n "mine",\r\n]\r\n',
        "runtime_supports_json = ['mine']\nruntime_supports_nocgroups = ['mine']\n",
        'runtimes = { mine = ["/m"] }\n"runtime_supports_json" = ["""mine"""]\n',
    ],
)
def test_lists_of_the_operator_stay(podman: SmallHost, text: str) -> None:
    """However TOML writes them, their entries are in ours, and nothing of a comment is."""
    config = podman.path("/etc/containers/containers.conf")
    config.parent.mkdir()
    config.write_bytes(f"[engine]\n{text}".encode())
    register(podman)
    lists = tomllib.loads(podman.path(DROP_IN).read_text())["engine"]
    assert {"mine", "kontain", "krun", "crun"} <= set(lists["runtime_supports_json"])
    assert "not this" not in lists["runtime_supports_json"]
    assert ("mine" in lists["runtime_supports_nocgroup"]) == ("nocgroups" in text)


def test_a_newer_podman_gets_additions(host: SmallHost) -> None:
    """From 5.0 on lists are added to, so that an entry which an operator writes later counts, too."""
    host.add_program("podman", podman_of(host, "podman version 5.4.2\n"))
    register(host)
    lists = tomllib.loads(host.path(DROP_IN).read_text())["engine"]
    assert lists["runtime_supports_json"] == ["kontain", "krun", {"append": True}]


def test_a_later_file_that_leaves_us_out_is_named(podman: SmallHost) -> None:
    """A drop-in file after ours that lists without us: a warning with the file and the option."""
    place = podman.path(DROP_IN).with_name("zz.conf")
    place.parent.mkdir(parents=True)
    place.write_text(
        '[engine]\nruntime_supports_kvm = ["kata"]\nruntime_supports_json = ["kontain", "krun"]\n'
    )
    (warning,) = register(podman).warnings
    assert "zz.conf, which podman reads after" in warning
    assert "sets runtime_supports_kvm without kontain and krun" in warning


BROKEN = '[engine]\nruntime = "mine\n'


def test_a_broken_file_is_reported_in_podmans_words(podman: SmallHost) -> None:
    """A file that podman refuses: its own line is in the message, and nothing is written."""
    config = podman.path("/etc/containers/containers.conf")
    config.parent.mkdir()
    config.write_text(BROKEN)
    before = snapshot(Path(podman.root))
    with pytest.raises(
        HostError, match=r"podman refuses .*: decode configuration .*: toml: Illegal"
    ):
        register(podman)
    assert snapshot(Path(podman.root)) == before


def test_what_podman_does_not_find_is_not_done(podman: SmallHost) -> None:
    """A later file that takes the name away: the run fails, says so, and takes all back."""
    place = podman.path(DROP_IN).with_name("zz.conf")
    place.parent.mkdir(parents=True)
    place.write_text('[engine.runtimes]\nkontain = ["/other"]\n')
    before = snapshot(Path(podman.root))
    with pytest.raises(HostError, match=f"info` has /other, wanted {KRUN}"):
        register(podman, replace=True)
    assert snapshot(Path(podman.root)) == before


@pytest.mark.parametrize("version", ["podman version 1.6.4", "nonsense", ""])
def test_a_podman_without_configuration_is_refused(host: SmallHost, version: str) -> None:
    """Before 2.0 no containers.conf would be read: the found and the wanted version are named."""
    host.add_program("podman", podman_of(host, version))
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=r"wanted 2\.0 or newer") as caught:
        register(host)
    assert repr(version) in str(caught.value)
    assert caught.value.status == HOST_REFUSED
    assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize("text", [*REAL[-2:], "", None])
@pytest.mark.parametrize("version", ["2.0.0", "3.2.3"])
def test_a_podman_without_drop_ins_has_its_file_merged(
    host: SmallHost, version: str, text: str | None
) -> None:
    """Before 3.3 the runtimes go into containers.conf, where all else stays; and out of it."""
    host.add_program("podman", podman_of(host, f"podman version {version}\n"))
    config = host.path("/etc/containers/containers.conf")
    if text is not None:
        config.parent.mkdir()
        config.write_text(text)
    before = snapshot(Path(host.root))
    register(host)
    assert not host.path(DROP_IN).exists()
    found = tomllib.loads(config.read_text())["engine"]["runtimes"]
    assert (found["kontain"], found["krun"]) == ([KRUN], [KRUN])
    assert not register(host).changed
    edited = f"# theirs\n{config.read_text()}"
    uninstall(host)
    assert snapshot(Path(host.root)) == before
    register(host)
    config.write_text(edited)
    uninstall(host)
    assert config.read_text() == f"# theirs\n{text or ''}"


@pytest.mark.parametrize(
    "text",
    [
        '[engine.runtimes]\nkontain = ["/other"]\n',
        '[ engine . runtimes ]\n"kontain" = [\n  "/other",\n]\n',
        '[engine]\nruntimes.kontain = ["/other"]\n',
        '[engine]\nruntimes = { mine = ["/m"], kontain = ["/other"] }\n',
        '["engine"."runtimes"]\nrunc = ["/r"]\nkontain=["/other"] # theirs\n',
    ],
)
def test_another_runtime_of_the_name_is_an_error(podman: SmallHost, text: str) -> None:
    """A runtime "kontain" in another file of podman is seen, however it is written."""
    config = podman.path("/etc/containers/containers.conf")
    config.parent.mkdir()
    config.write_text(text)
    before = snapshot(Path(podman.root))
    with pytest.raises(HostError, match="in podman: it already has a runtime 'kontain' with"):
        register(podman)
    assert snapshot(Path(podman.root)) == before
    assert register(podman, replace=True).changed
    assert config.read_text() == text


def test_names_elsewhere_are_no_conflict(podman: SmallHost) -> None:
    """Comments, other sections and an entry that already leads to our program do not count."""
    config = podman.path("/etc/containers/containers.conf")
    config.parent.mkdir()
    config.write_text(
        f'# kontain = ["/other"]\n[machine]\nkontain = ["/other"]\n'
        f'[engine.runtimes]\nkrun = [\n  "{KRUN}"\n]\n'
    )
    register(podman)
    assert f'krun = ["{KRUN}"]' in podman.path(DROP_IN).read_text()


def test_a_foreign_drop_in_of_our_name_stays(podman: SmallHost) -> None:
    """A foreign file kontain.conf is not overwritten."""
    place = podman.path(DROP_IN)
    place.parent.mkdir(parents=True)
    place.write_text("theirs")
    with pytest.raises(HostError, match="was not made by Kontain"):
        register(podman)
    assert place.read_text() == "theirs"


REGISTER = """
from kontain_host import engines
from kontain_host.host import Host
from kontain_host.transaction import perform
wish = engines.Registration(path="/usr/bin/crun")
perform(Host(), "podman", lambda report: engines.plan(Host(), "podman", report, wish))
"""


@pytest.mark.needs_root
def test_a_real_podman_reads_the_drop_in(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Podman finds the runtime under its name after registration, and not before."""
    if not (shutil.which("podman") and Path("/usr/bin/crun").exists()):
        pytest.skip("needs podman and crun: install the packages podman and crun")
    # Short, as podman demands, and gone with the sandbox.
    folders = "--storage-driver vfs --root /opt/p/r --runroot /opt/p/rr --tmpdir /opt/p/t"
    ask = f"podman {folders} --runtime kontain info --format '{{{{.Host.OCIRuntime.Path}}}}'"
    (tmp_path / "register.py").write_text(REGISTER)
    done = in_sandbox(
        "env",
        f"PYTHONPATH={PYTHON_PATH['PYTHONPATH']}",
        "sh",
        "-c",
        f"{ask} 2>&1 && echo known before; python3 {tmp_path}/register.py && {ask}",
    )
    assert "known before" not in done.stdout
    assert done.stdout.splitlines()[-1:] == ["/usr/bin/crun"], done.stderr
