# SPDX-License-Identifier: Apache-2.0
"""The same bundle and the same verb, through krun and through its backend: the same is seen."""

from __future__ import annotations

import copy
import json
import re
import subprocess
from pathlib import Path
from typing import Any

import pytest

from .support import FOREVER, ID, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

# What is set in a bundle's configuration, by its path, and what the container runs then.
BUNDLES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "status": ({}, ["sh", "-c", "echo out; echo err >&2; exit 42"]),
    "signal": ({}, ["sh", "-c", "kill -KILL $$"]),
    "environment": ({"process.env": ["PATH=/bin", "A=b", "A=c", "EMPTY="]}, ["sh", "-c", "echo $A"]),
    "folder": ({"process.cwd": "/bin"}, ["./echo", "here"]),
    "new folder": ({"process.cwd": "/made", "root.readonly": False}, ["sh", "-c", "pwd"]),
    "user": ({"process.user": {"uid": 7, "gid": 8, "additionalGids": [9]}}, ["id"]),
    "umask": ({"process.user": {"uid": 0, "gid": 0, "umask": 0o77}}, ["sh", "-c", "umask"]),
    "host name": ({"hostname": "name"}, ["uname", "-n"]),
    "limits": (
        {"process.rlimits": [{"type": "RLIMIT_NOFILE", "soft": 50, "hard": 60}]},
        ["sh", "-c", "ulimit -Sn; ulimit -Hn"],
    ),
    "read-only": ({"root.readonly": True}, ["sh", "-c", "echo x > /file"]),
    "masked": ({"linux.maskedPaths": ["/proc/version"]}, ["cat", "/proc/version"]),
    "read-only path": ({"linux.readonlyPaths": ["/proc/sys"]}, ["sh", "-c", "echo x > /proc/sys/x"]),
    "no capabilities": (
        {"process.capabilities": {}, "process.noNewPrivileges": True},
        ["sh", "-c", "while read a b; do case $a in Cap*|NoNew*) echo $a $b; esac; done </proc/self/status"],
    ),
    "namespaces": ({"linux.namespaces": [{"type": "mount"}]}, ["echo", "few"]),
    "sysctl": ({"linux.sysctl": {"net.ipv4.ip_forward": "1"}}, ["cat", "/proc/sys/net/ipv4/ip_forward"]),
    "unknown members": ({"future": {"x": [1]}, "process.future": 1}, ["true"]),
    "missing": ({}, ["/nope"]),
    "not in path": ({}, ["nope"]),
    "folder as program": ({}, ["/bin"]),
    "bad mount": (
        {"mounts+": {"destination": "/m", "type": "bind", "source": "/nope", "options": ["bind"]}},
        ["true"],
    ),
    "bad hook": ({"hooks": {"prestart": [{"path": "/bin/false"}]}}, ["true"]),
    "bad namespace": ({"linux.namespaces": [{"type": "nope"}]}, ["true"]),
    "bad seccomp": ({"linux.seccomp": {"defaultAction": "NOPE"}}, ["true"]),
}  # fmt: skip


def change(doc: dict[str, Any], path: str, value: object) -> None:
    """Set the member of DOC at PATH to VALUE, or append it where PATH ends with a plus."""
    *above, last = path.split(".")
    for name in above:
        doc = doc[name]
    if last.endswith("+"):
        doc[last[:-1]].append(value)
    else:
        doc[last] = value


@pytest.mark.parametrize("name", BUNDLES)
def test_run(krun: Runtime, bundle: BundleFolder, name: str) -> None:
    """`run` ends with the same status, and the container prints the same."""
    changes, args = BUNDLES[name]
    doc = copy.deepcopy(bundle.doc)
    for path, value in changes.items():
        change(doc, path, copy.deepcopy(value))
    bundle.doc = doc
    where = bundle.args(*args)

    theirs = krun.bare("run", "-b", where, ID)
    krun.bare("delete", "--force", ID)
    ours = krun("run", "-b", where, ID)
    assert ours.stdout == theirs.stdout
    if name in ("missing", "not in path", "folder as program"):  # the backends differ in these
        assert ours.returncode == {"folder as program": 126}.get(name, 127)
    elif name.startswith("bad"):
        assert ours.returncode != 0
        assert theirs.returncode != 0
    else:
        assert (ours.returncode, plain(ours.stderr)) == (theirs.returncode, plain(theirs.stderr))


class Pair:
    """Two containers of one bundle: krun's and the backend's own."""

    def __init__(self, krun: Runtime, bundle: BundleFolder) -> None:
        """Create both."""
        self.krun = krun
        path = bundle.args("sleep", FOREVER)
        assert krun.create("-b", path, "ours") == 0
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        command = [*krun.before, krun.backend, "--root", str(krun.root)]
        subprocess.run([*command, "create", "-b", path, "theirs"], check=True, **quiet)  # type: ignore[call-overload]

    def same(self, *words: str, after: tuple[str, ...] = ()) -> str:
        """Call the verb WORDS for each, with AFTER its ID; both must say the same. Return it."""
        ours = self.krun(*words, "ours", *after)
        theirs = self.krun.bare(*words, "theirs", *after)
        assert ours.returncode == theirs.returncode, ours.stderr + theirs.stderr
        assert plain(ours.stdout) == plain(theirs.stdout)
        assert plain(ours.stderr) == plain(theirs.stderr)
        return ours.stdout


def plain(text: str) -> str:
    """Return TEXT without what differs from one container to another: IDs, times, numbers."""
    text = re.sub(r"\b(ours|theirs)\b", "ID", text)
    text = re.sub(r"\d{4}-\d\d-\d\dT[\d:.]+Z", "TIME", text)
    return re.sub(r"\d+", "N", text)


def test_verbs_of_a_life(krun: Runtime, bundle: BundleFolder) -> None:
    """In every state, each verb answers as the backend's own does, mistakes included."""
    pair = Pair(krun, bundle)
    for verb in ("state", "resume", "start", "state", "start", "delete"):
        pair.same(verb)
    pair.same("kill", after=("NOPE",))
    pair.same("pause")
    assert json.loads(pair.same("state"))["status"] == "paused"
    pair.same("resume")
    pair.same("ps", "--format", "json")
    pair.same("kill", after=("KILL",))


def test_events_are_the_backends(krun: Runtime, bundle: BundleFolder) -> None:
    """`events --stats` has the same members, or the same answer that there is none."""
    pair = Pair(krun, bundle)
    pair.same("start")
    ours = krun("events", "--stats", "ours")
    theirs = krun.bare("events", "--stats", "theirs")

    assert ours.returncode == theirs.returncode
    if theirs.returncode == 0:
        assert json.loads(ours.stdout)["data"].keys() == json.loads(theirs.stdout)["data"].keys()


@pytest.mark.parametrize("by_pipe", [True, False])
def test_update(krun: Runtime, bundle: BundleFolder, tmp_path: Path, by_pipe: bool) -> None:  # noqa: FBT001
    """Limits change while a container runs, from a file and from standard input."""
    pair = Pair(krun, bundle)
    pair.same("start")
    resources = tmp_path / "resources"
    resources.write_text(json.dumps({"cpu": {"shares": 512}}))
    source = str(resources)
    if by_pipe:
        source = "-" if krun.backend == "runc" else "/dev/stdin"
    with resources.open() as given:
        done = krun("update", "--resources", source, "ours", stdin=given)
    assert done.returncode == 0, done.stderr
    pid = krun.state("ours")["pid"]
    groups = Path(f"/proc/{pid}/cgroup").read_text().splitlines()
    paths = [line.split(":", 2) for line in groups]
    (cpu,) = [path for _, names, path in paths if "cpu" in names.split(",")] or [""]
    if not cpu:
        pytest.skip("no cpu controller of cgroup version 1 to look at")
    assert Path(f"/sys/fs/cgroup/cpu{cpu}/cpu.shares").read_text() == "512\n"


def test_checkpoint_answers_honestly(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """CRIU cannot save a VM: krun says so at once, and the container keeps running.

    An engine asks by `checkpoint --help` whether it can, and by `features`.
    """
    pair = Pair(krun, bundle)
    pair.same("start")
    done = krun("checkpoint", "--image-path", str(tmp_path / "image"), "ours")

    assert (done.returncode, done.stdout) == (1, "")
    assert "CRIU cannot save what KVM keeps" in done.stderr
    assert krun.state("ours")["status"] == "running"
    assert not (tmp_path / "image").exists()
    assert krun("checkpoint", "--help").returncode == 1
    notes = json.loads(krun("features").stdout).get("annotations", {})
    assert notes.get("org.opencontainers.runc.checkpoint.enabled", "false") == "false"


def test_nothing_is_restored(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """A checkpoint of processes outside VMs becomes no container that seems to be in a VM."""
    image = ["--image-path", str(tmp_path), "--bundle", bundle.args("true")]
    for words in (["--help"], [ID], [*image, ID], ["--detach", *image, ID]):
        done = krun("restore", *words)
        assert "cannot restore a container of krun" in done.stderr
        assert (done.returncode, done.stdout) == (1, "")
    assert not krun.root.exists() or not list(krun.root.iterdir())


def test_what_needs_no_container(krun: Runtime, tmp_path: Path) -> None:
    """`spec` writes what the backend writes, and `list` of nothing is the backend's."""
    for runtime, folder in ((krun, tmp_path / "a"), (krun.bare, tmp_path / "b")):
        folder.mkdir()
        assert runtime("spec", "--bundle", str(folder)).returncode == 0
    written = [(tmp_path / name / "config.json").read_text() for name in ("a", "b")]
    assert written[0] == written[1]
    krun.root.mkdir()
    for words in (["list"], ["list", "-q"], ["list", "--format", "json"]):
        assert krun(*words).stdout == krun.bare(*words).stdout
