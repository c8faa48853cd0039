# SPDX-License-Identifier: Apache-2.0
"""A published release on a host that makes it hard: `wget | bash`, from a web server of our own."""

from __future__ import annotations

import io
import json
import re
import subprocess
import tarfile
import time
from contextlib import closing
from pathlib import Path
from typing import Iterator

import pytest

from kontain_host.signature import TRAILER_SIZE
from tests.sources import ROOT
from tools.release.bundle import pack, sums_of, tree_members

from .publish import Publisher
from .sandbox import WHOLE_INSTALL, Sandbox

pytestmark = [
    *WHOLE_INSTALL,
    pytest.mark.skipif(
        not (ROOT / "build/km/km").exists(), reason="needs a bundle: run `make bundle`"
    ),
]

LOG = "/var/log/kontain"
VERSION = "1.2.3"

# No Python package index, no distribution, no curl and no openssl; only the releases can be reached.
# /tmp allows no programs, and /usr cannot be written.
HARSH = """
mount -t tmpfs -o noexec,mode=1777 tmpfs /tmp
for program in curl openssl; do
    ! command -v $program || mount --bind /dev/null "$(command -v $program)"
done
mount --bind /usr /usr
mount -o remount,bind,ro /usr
"""
CUT_OFF = {"http_proxy": "http://127.0.0.1:9", "https_proxy": "http://127.0.0.1:9"}
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "no_proxy": "127.0.0.1"}


@pytest.fixture(scope="module")
def publisher(artifact: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    """A web server with two releases."""
    folder = tmp_path_factory.mktemp("web") / "releases"
    folder.mkdir()
    publisher = Publisher(folder, artifact)
    for version in ("1.2.2", VERSION):
        publisher.publish(version)
    yield from publisher.serving()


@pytest.fixture(scope="module")
def host() -> Iterator[Sandbox]:
    """A harsh host with podman, whose story the tests are."""
    with closing(Sandbox()) as sandbox:
        sandbox.run("sh", "-ec", HARSH).check_returncode()
        yield sandbox


def pipe(
    host: Sandbox, publisher: Publisher, *arguments: str, version: str = VERSION
) -> subprocess.CompletedProcess[str]:
    """Do as the documentation says: fetch the script with wget and pipe it into bash."""
    command = f"wget -O - {publisher.url}/v{version}/install.sh | bash -x"
    more = f" -s -- {' '.join(arguments)}" if arguments else ""
    return host.run("bash", "-c", command + more, env=ENVIRONMENT | CUT_OFF)


def changes(host: Sandbox) -> dict[str, str]:
    """Return what is not as on this machine, but for the logs."""
    return {path: how for path, how in host.changes().items() if not path.startswith(LOG)}


def test_dry_run_by_a_pipe_changes_nothing(host: Sandbox, publisher: Publisher) -> None:
    """--dry-run fetches, checks and lists what would change, and leaves not a file."""
    said = pipe(host, publisher, "--dry-run")

    assert said.returncode == 0, said.stderr
    assert "things would change" in said.stdout
    assert host.changes() == {}


def test_one_line_installs(host: Sandbox, publisher: Publisher) -> None:
    """`wget -O - URL | bash -x` makes the host one that runs containers in VMs, without Ansible."""
    said = pipe(host, publisher, "--engines", "podman")

    assert said.returncode == 0, said.stdout + said.stderr
    assert "there is no Ansible to be had: installing without it" in said.stdout
    for proof in ("proof-km", "proof-krun", "proof-podman"):
        assert re.search(rf"^pass  {proof} .*\.kontain\.KVM", said.stdout, re.MULTILINE), (
            said.stdout
        )
    assert host.run("/opt/kontain/bin/kontain", "--version").stdout == f"kontain {VERSION}\n"


def test_again_is_quick_and_changes_nothing(host: Sandbox, publisher: Publisher) -> None:
    """The second run finds in seconds that nothing is to be done, and proves it."""
    before, began = host.changes(), time.monotonic()

    said = pipe(host, publisher, "--engines", "podman", "--json")

    assert said.returncode == 0, said.stderr
    outcome = json.loads(said.stdout)
    assert (outcome["version"], outcome["run"]["changed"]) == (VERSION, False)
    assert time.monotonic() - began < 60  # the budget is 15 on an idle machine
    assert host.changes() == before


@pytest.mark.parametrize("wrong", ["flipped", "truncated", "foreign", "another release"])
def test_wrong_bundles_are_refused(
    host: Sandbox, publisher: Publisher, wrong: str, tmp_path: Path
) -> None:
    """Any other answer of the server ends with status 5 before anything changes."""
    bundle = publisher.folder / f"v{VERSION}/kontain-{VERSION}-x86_64.tar.gz"
    good, before = bundle.read_bytes(), host.changes()
    other = tmp_path / "releases"
    other.mkdir()
    if wrong == "flipped":
        bad = bytearray(good)
        bad[len(bad) // 2] ^= 1
    elif wrong == "truncated":
        bad = bytearray(good[: len(good) // 2])
    elif wrong == "foreign":
        bad = bytearray(Publisher(other, publisher.collection).publish(VERSION).read_bytes())
    else:
        bad = bytearray((publisher.folder / "v1.2.2/kontain-1.2.2-x86_64.tar.gz").read_bytes())
    try:
        bundle.write_bytes(bad)
        said = pipe(host, publisher)
    finally:
        bundle.write_bytes(good)

    assert said.returncode == 5, said.stdout
    assert f"install.sh: cannot trust the bundle kontain-{VERSION}-x86_64.tar.gz" in said.stderr
    assert host.changes() == before


def bring(host: Sandbox, publisher: Publisher, version: str) -> None:
    """Put a release's script and bundle, and one that was cut off, below /run."""
    good = (publisher.folder / f"v{version}/kontain-{version}-x86_64.tar.gz").read_bytes()
    script = (publisher.folder / f"v{version}/install.sh").read_bytes()
    files = {"good.tar.gz": good, "bad.tar.gz": good[:-1], "install.sh": script}
    for name, contents in files.items():
        host.run("tee", f"/run/{name}", input=contents, text=False)


def test_older_releases_are_refused(host: Sandbox, publisher: Publisher) -> None:
    """An older release is refused with what to do, and with --downgrade it is installed."""
    said = pipe(host, publisher, version="1.2.2")

    assert said.returncode == 5
    assert f"it is the release 1.2.2, and {VERSION} is installed" in said.stderr
    bring(host, publisher, "1.2.2")
    again = host.run(
        "sh", "/run/install.sh", "--downgrade", "--offline=/run/good.tar.gz", "--engines=podman"
    )
    assert again.returncode == 0, again.stdout + again.stderr
    assert host.run("/opt/kontain/bin/kontain", "--version").stdout == "kontain 1.2.2\n"


def test_offline_is_the_same_bundle(host: Sandbox, publisher: Publisher) -> None:
    """--offline takes the same file from the disk, upgrades by it, and refuses a tampered one."""
    bring(host, publisher, VERSION)

    bad = host.run("sh", "/run/install.sh", "--offline", "/run/bad.tar.gz")
    said = host.run("sh", "/run/install.sh", "--offline=/run/good.tar.gz", "--engines=podman,crio")

    assert bad.returncode == 5
    assert "cannot trust the bundle bad.tar.gz" in bad.stderr
    assert said.returncode == 0, said.stdout + said.stderr
    assert host.run("/opt/kontain/bin/kontain", "--version").stdout == f"kontain {VERSION}\n"
    crio = host.run("cat", "/etc/crio/crio.conf.d/50-kontain.conf").stdout
    assert 'runtime_path = "/opt/kontain/bin/krun"' in crio


@pytest.fixture(scope="module")
def foreign(publisher: Publisher, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Publisher]:
    """The web server of another publisher, with a newer release under a key of their own."""
    folder = tmp_path_factory.mktemp("foreign") / "releases"
    folder.mkdir()
    other = Publisher(folder, publisher.collection)
    other.publish("1.3.0")
    yield from other.serving()


def test_the_installed_releases_key_decides(
    host: Sandbox, publisher: Publisher, foreign: Publisher
) -> None:
    """The script of another publisher installs nothing over a release, unless root names its key."""
    before = host.changes()
    refused = pipe(host, foreign, version="1.3.0")

    assert refused.returncode == 5, refused.stdout
    assert "it is not signed by the key of the installed release" in refused.stderr
    assert host.changes() == before
    key = (foreign.folder / "v1.3.0/release.pub").read_bytes()
    host.run("tee", "/run/foreign.pub", input=key, text=False)
    taken = pipe(host, foreign, "--key", "/run/foreign.pub", "--engines=podman", version="1.3.0")
    assert taken.returncode == 0, taken.stdout + taken.stderr
    back = pipe(host, publisher, "--downgrade")
    assert back.returncode == 5
    own = (publisher.folder / f"v{VERSION}/release.pub").read_bytes()
    host.run("tee", "/run/own.pub", input=own, text=False)
    said = pipe(host, publisher, "--downgrade", "--key=/run/own.pub", "--engines=podman")
    assert said.returncode == 0, said.stdout + said.stderr


@pytest.mark.parametrize("kind", ["unsigned", "changed", "older", "half"])
@pytest.mark.parametrize("door", ["install", "plan", "install.sh"])
def test_each_door_of_the_host_refuses(
    host: Sandbox, publisher: Publisher, door: str, kind: str
) -> None:
    """`kontain` refuses an unsigned, changed or older bundle as install.sh does, with status 5."""
    version = "1.2.2" if kind == "older" else VERSION
    good = (publisher.folder / f"v{version}/kontain-{version}-x86_64.tar.gz").read_bytes()
    cut = {"unsigned": good[:-TRAILER_SIZE], "half": good[: len(good) // 2], "older": good}
    bad = cut[kind] if kind in cut else resealed(good)
    script = (publisher.folder / f"v{version}/install.sh").read_bytes()
    place = f"/run/kontain-{version}-x86_64.tar.gz"
    host.run("tee", place, input=bad, text=False)
    host.run("tee", "/run/install.sh", input=script, text=False)
    before = host.changes()
    command = {
        "install": ("/opt/kontain/bin/kontain", "install", place),
        "plan": ("/opt/kontain/bin/kontain", "plan", place, "-o", "/run/plan"),
        "install.sh": ("sh", "/run/install.sh", "--offline", place),
    }[door]

    said = host.run(*command)

    assert said.returncode == 5, said.stdout + said.stderr
    assert f"cannot trust the bundle kontain-{version}-x86_64.tar.gz" in said.stderr
    assert "\nTo fix: " in said.stderr
    assert host.changes() == before


def resealed(good: bytes) -> bytes:
    """Return a bundle with another km and the MANIFEST for it, and with the signature of before."""
    members = {}
    with tarfile.open(fileobj=io.BytesIO(good)) as archive:
        for member in archive:
            stream = archive.extractfile(member) if member.isreg() else None
            if stream:
                members[member.name] = (stream.read(), member.mode)
    top = f"kontain-{VERSION}/release/"
    members[f"{top}bin/km"] = (b"#!/bin/sh\nexit 0\n", 0o755)
    del members[f"{top}MANIFEST"]
    inside = {name[len(top) :]: file for name, file in members.items() if name.startswith(top)}
    members[f"{top}MANIFEST"] = (sums_of(inside), 0o644)
    return pack(tree_members(members)) + good[-TRAILER_SIZE:]


def test_a_folder_is_believed_where_its_own_script_is_run(
    host: Sandbox, publisher: Publisher
) -> None:
    """A folder that another script is to install carries no signature, and is refused."""
    bring(host, publisher, VERSION)
    host.run("tar", "-C", "/run", "-xzf", "/run/good.tar.gz").check_returncode()
    folder = f"/run/kontain-{VERSION}"
    host.run("cp", "-a", folder, "/run/copy").check_returncode()

    said = host.run("sh", f"{folder}/install.sh", "--offline", "/run/copy")

    assert said.returncode == 5, said.stdout
    assert "cannot trust /run/copy: a folder carries no signature" in said.stderr


def test_a_release_that_runs_nothing_is_undone(host: Sandbox, publisher: Publisher) -> None:
    """Where the proof fails after an upgrade, the host is back at its release, and says why."""
    publisher.publish("1.2.4", broken=True)

    said = pipe(host, publisher, "--engines=podman", version="1.2.4")

    assert said.returncode == 8, said.stdout + said.stderr
    assert "the proof failed: proof-km: " in said.stderr
    assert f"the host is back at {VERSION}" in said.stderr
    assert "To fix: report it with /var/log/kontain/failed-proof.tar.gz" in said.stderr
    assert host.run("/opt/kontain/bin/kontain", "--version").stdout == f"kontain {VERSION}\n"
    assert host.run("ls", "/opt/kontain/versions").stdout == f"{VERSION}\n"
    assert host.run("/opt/kontain/bin/kontain", "verify").returncode == 0
    names = host.run("tar", "-tzf", f"{LOG}/failed-proof.tar.gz").stdout
    assert "kontain-support/check.json" in names


def test_uninstall_by_a_pipe(host: Sandbox, publisher: Publisher) -> None:
    """The same line with --uninstall leaves the host as it was, and again has nothing to do."""
    said = pipe(host, publisher, "--uninstall")

    assert said.returncode == 0, said.stdout + said.stderr
    assert changes(host) == {}
    assert "Kontain is not installed" in pipe(host, publisher, "--uninstall").stdout


@pytest.mark.parametrize("keep", [False, True])
def test_a_first_release_that_runs_nothing_is_undone(
    host: Sandbox, publisher: Publisher, *, keep: bool
) -> None:
    """A host that had no Kontain is as it was before, to the byte, unless --keep is given."""
    said = pipe(host, publisher, "--engines=podman", *["--keep"] * keep, version="1.2.4")

    assert said.returncode == 8, said.stdout + said.stderr
    assert "share/hello.km: permission denied" in said.stderr
    if keep:
        assert "Kontain is installed, but the proof failed" in said.stderr
        assert host.run("/opt/kontain/bin/kontain", "--version").stdout == "kontain 1.2.4\n"
        pipe(host, publisher, "--uninstall", version="1.2.4")
    else:
        assert "the host is back at what it was without Kontain" in said.stderr
    assert changes(host) == {}
