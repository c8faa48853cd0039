# SPDX-License-Identifier: Apache-2.0
"""The life of a container, over the real runc and crun, with the real km."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from .support import (
    BUSYBOX,
    FOREVER,
    ID,
    IN_A_VM,
    KM,
    KRUN,
    PATIENCE,
    ROOT,
    SCRIPT,
    BundleFolder,
    Runtime,
    add_user_namespace,
    start,
    wait_for,
    wait_until,
)

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


def test_run_in_a_vm(krun: Runtime, bundle: BundleFolder) -> None:
    """The payload sees the VM's kernel, and its status and output are the container's."""
    done = krun("run", "--bundle", bundle.args("uname", "-r"), ID)
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr
    assert done.returncode == 0
    done = krun("run", "-b", bundle.args("sh", "-c", "echo $0 $PWD; exit 3"), ID)
    assert (done.stdout, done.returncode) == ("sh /\n", 3)


def test_help_leads_on() -> None:
    """`--help` and nothing at all end with where to read on."""
    for words in (["--help"], ["help"], []):
        done = subprocess.run([KRUN, *words], capture_output=True, text=True, check=True)
        assert done.stdout.splitlines()[-1].startswith("Documentation: https://")


def test_bundle_is_only_read(krun: Runtime, bundle: BundleFolder) -> None:
    """After a container's whole life the bundle has the files, bytes and times that it had."""
    path = bundle.args("true")

    def look() -> list[tuple[str, int, float]]:
        files = sorted(bundle.path.rglob("*"))
        found = [(str(file), file.lstat().st_size, file.lstat().st_mtime) for file in files]
        return [entry for entry in found if "/rootfs" not in entry[0]]

    before, text = look(), (bundle.path / "config.json").read_bytes()
    assert krun("run", "--bundle", path, ID).returncode == 0
    assert look() == before
    assert (bundle.path / "config.json").read_bytes() == text
    left = krun.root.with_name(f"{krun.root.name}.bundles")
    assert not left.exists() or not list(left.iterdir())


def test_life_of_a_container(krun: Runtime, bundle: BundleFolder) -> None:
    """create, state, list, start, kill and delete do as the specification says."""
    path = bundle.args("sleep", FOREVER)

    assert krun.create("--bundle", path, ID) == 0
    assert krun.state(ID)["status"] == "created"
    assert krun.state(ID)["bundle"] == path
    listed = json.loads(krun("list", "--format", "json").stdout)
    assert [(entry["id"], entry["bundle"]) for entry in listed] == [(ID, path)]
    assert path in krun("list").stdout
    assert krun("start", ID).returncode == 0
    assert krun.state(ID)["status"] == "running"
    assert krun("create", "--bundle", path, ID).stderr.startswith(
        f"krun: container with given ID already exists: {ID}"
    )
    assert krun("kill", ID, "KILL").returncode == 0
    wait_for(krun, ID, "stopped")
    assert krun("delete", ID).returncode == 0
    assert krun("state", ID).returncode == 1
    assert not list(krun.root.iterdir())


def test_delete_by_force(krun: Runtime, bundle: BundleFolder) -> None:
    """`delete --force` ends a container that runs, and of one that is not there it says nothing."""
    start(krun, bundle, "sleep", FOREVER)

    assert krun("delete", "--force", ID).returncode == 0
    assert krun("delete", "--force", ID).returncode == 0


def test_signal_reaches_the_payload(krun: Runtime, bundle: BundleFolder) -> None:
    """A payload that a signal ends is a container that a signal ended."""
    command = krun.command("run", "-b", bundle.args("sleep", FOREVER), ID)
    with subprocess.Popen(command, stdin=subprocess.DEVNULL) as process:
        end = time.monotonic() + 20 * PATIENCE
        while krun("state", ID).returncode != 0 or krun.state(ID)["status"] != "running":
            assert time.monotonic() < end
        assert krun("kill", ID, "KILL").returncode == 0
        assert process.wait(20 * PATIENCE) == 128 + signal.SIGKILL


def test_first_process_survives_what_is_sent(krun: Runtime, bundle: BundleFolder) -> None:
    """Process 1 of a container does not die of a signal that it left alone, whoever sends it."""
    sent = "for signal in TERM SEGV BUS ABRT QUIT; do kill -$signal 1; done; echo alive; exit 3"
    done = krun("run", "-b", bundle.args("sh", "-c", sent), ID)
    assert (done.stdout, done.returncode) == ("alive\n", 3), done.stderr


def test_exec_by_command_line(krun: Runtime, bundle: BundleFolder) -> None:
    """A program that joins a container runs in a VM, with the arguments that it was given."""
    start(krun, bundle, "sleep", FOREVER)

    assert krun("exec", ID, "uname", "-r").stdout.endswith(f"{IN_A_VM}\n")
    assert krun("exec", ID, "/bin/echo", "--", "-a").stdout == "-- -a\n"
    assert krun("exec", "--env", "A=b", ID, "sh", "-c", "echo $A; exit 4").returncode == 4
    assert krun("exec", ID, "nope").returncode == 127
    assert krun("exec", ID, "/").returncode == 126


def test_exec_by_document(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """A process document, as engines send it, is not changed and runs in a VM."""
    start(krun, bundle, "sleep", FOREVER)
    bundle.script("script", "#!/bin/sh\necho $0 $1 $A $PWD\nexit 5\n")
    process = {
        **bundle.doc["process"],
        "args": ["/script", "x"],
        "env": ["A=b", "PATH=/bin"],
        "cwd": "/bin",
    }
    path = tmp_path / "process.json"
    path.write_text(json.dumps(process))

    done = krun("exec", "--process", str(path), ID)
    assert (done.stdout, done.returncode) == ("/script x b /bin\n", 5), done.stderr
    assert json.loads(path.read_text()) == process


@pytest.mark.parametrize("kind", ["folder", "volume", "users"])
def test_exec_sees_the_root_that_was_made(krun: Runtime, bundle: BundleFolder, kind: str) -> None:
    """A first process that changes its own root changes none for what is executed later."""
    caps = bundle.doc["process"]["capabilities"]
    for names in caps.values():
        names.append("CAP_SYS_CHROOT")
    srv = bundle.rootfs / "srv"
    srv.mkdir()
    if kind == "volume":
        srv = bundle.path / "volume"
        srv.mkdir()
        bundle.doc["mounts"].append(
            {"destination": "/srv", "type": "bind", "source": str(srv), "options": ["rbind"]}
        )
    elif kind == "users":
        add_user_namespace(bundle)
    shutil.copy(BUSYBOX, srv)
    pid = start(krun, bundle, "/bin/busybox", "chroot", "/srv", "/busybox", "sleep", FOREVER)
    wait_until(lambda: Path(f"/proc/{pid}/root").readlink().name in {"srv", "volume"})

    done = krun("exec", ID, "sh", "-c", "uname -r; ls /srv /bin/ls")
    assert done.stdout.endswith(f"{IN_A_VM}\n/bin/ls\n\n/srv:\nbusybox\n"), done.stderr


def test_exec_in_a_stopped_container(krun: Runtime, bundle: BundleFolder) -> None:
    """The error is the engines' word for it."""
    start(krun, bundle, "true")
    wait_for(krun, ID, "stopped")

    assert "container is not running" in krun("exec", ID, "true").stderr


def test_relative_source_is_the_bundles(krun: Runtime, bundle: BundleFolder) -> None:
    """A bind mount whose source is relative shows the folder of the bundle, wherever one is."""
    (bundle.path / "data").mkdir()
    (bundle.path / "data" / "file").write_text("hello\n")
    for name, kind, options in (("one", "bind", ["bind"]), ("two", "none", ["rbind", "ro"])):
        bundle.doc["mounts"].append(
            {"destination": f"/{name}", "type": kind, "source": "data", "options": options}
        )
    bundle.doc["root"]["readonly"] = False

    done = krun("run", "-b", bundle.args("cat", "/one/file", "/two/file"), ID, cwd="/")
    assert done.stdout == "hello\nhello\n", done.stderr


def test_features_are_one_document(krun: Runtime) -> None:
    """Docker reads standard output as JSON."""
    done = krun("features")

    assert "createContainer" in json.loads(done.stdout)["hooks"]
    assert not done.stderr


def test_release_is_found_through_its_links(krun: Runtime, bundle: BundleFolder) -> None:
    """By the stable path, krun uses the km of the version that the links lead to."""
    prefix = bundle.path.parent / "kontain"
    release = prefix / "versions" / "1.2.3"
    (release / "bin").mkdir(parents=True)
    (release / "lib").mkdir()
    shutil.copy(KRUN, release / "bin" / "krun")
    shutil.copy(SCRIPT, release / "lib" / "krun.py")
    shutil.copy(KM, release / "bin" / "km")
    shutil.copytree(ROOT / "krun" / "src" / "krun", release / "lib" / "python" / "krun")
    (release / "VERSION").write_text("1.2.3\n")
    (prefix / "current").symlink_to("versions/1.2.3")
    (prefix / "bin").symlink_to("current/bin")
    stable = str(prefix / "bin" / "krun")

    version = subprocess.run([stable, "--version"], capture_output=True, text=True, check=True)
    assert version.stdout.startswith("krun version 1.2.3\n")
    (release / "bin" / "km").unlink()
    command = [*krun.before, stable, *krun.words, "run", "-b", bundle.args("true"), ID]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert f"neither {release}/bin/km nor" in done.stderr
