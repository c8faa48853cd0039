# SPDX-License-Identifier: Apache-2.0
"""Hosts on which something is missing or full, and callers that give krun next to nothing."""

from __future__ import annotations

import subprocess
from typing import Any

import pytest

from .support import ID, IN_A_VM, KRUN, PATIENCE, BundleFolder, Runtime

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


def on_a_host(krun: Runtime, change: str, *words: str) -> subprocess.CompletedProcess[str]:
    """Call krun with WORDS on this host after the shell commands CHANGE, which only it can see."""
    view = ["unshare", "-m", "--propagation", "private", "sh", "-ec", f'{change}\nexec "$@"', "sh"]
    command = [*view, *krun.before, str(KRUN), *krun.words, *words]
    return subprocess.run(
        command,
        capture_output=True,
        text=True,
        stdin=subprocess.DEVNULL,
        timeout=60 * PATIENCE,
        check=False,
    )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (
            "mount --bind /dev/null /dev/kvm",
            "/dev/kvm is not KVM: its API version is -1, wanted 12",
        ),
        (
            "for name in bin/crun sbin/crun bin/runc sbin/runc; do"  # noqa: ISC004
            " [ ! -e /usr/$name ] || mount --bind /dev/null /usr/$name; done",
            "is not in /usr/bin, /usr/sbin, /bin",
        ),
    ],
    ids=["no KVM behind its name", "no backend"],
)
def test_host_that_lacks_something(
    krun: Runtime, bundle: BundleFolder, change: str, words: str
) -> None:
    """A missing part is reported in words that no engine takes for a missing payload."""
    done = on_a_host(krun, change, "run", "-b", bundle.args("true"), ID)

    assert done.returncode == 125
    assert words in done.stderr
    assert "no such file" not in done.stderr.lower()
    assert "permission denied" not in done.stderr.lower()
    assert not krun.root.exists() or not list(krun.root.iterdir())


def test_full_file_system(krun: Runtime, bundle: BundleFolder) -> None:
    """Where the state of containers cannot be written, none is made and the fix is to make room."""
    folder = krun.root.parent / "full"
    folder.mkdir()
    words = ["--root", f"{folder}/state", "run", "-b", bundle.args("true"), ID]
    full = (
        f"mount -t tmpfs -o size=4k,nr_inodes=3 tmpfs {folder}; head -c 4096 /dev/zero >{folder}/x"
    )

    done = on_a_host(krun, full, *words)
    assert done.returncode != 0
    if krun.backend == "runc":
        assert done.stderr.startswith("krun: cannot write the container's files")
        assert "o space left on device" in done.stderr
    else:
        assert "cannot create state directory" in done.stderr  # crun's words


@pytest.mark.parametrize("closed", ["0<&-", "1>&-", "2>&-", "0<&- 1>&- 2>&-"])
def test_closed_standard_streams(krun: Runtime, bundle: BundleFolder, closed: str) -> None:
    """Without standard streams krun does what its backend does, and opens nothing in their place."""
    path = bundle.args("true")
    found = []
    for program in ([str(KRUN), *krun.words], [krun.backend, "--root", str(krun.root)]):
        script = f'exec "$@" {closed}'
        command = [*krun.before, "sh", "-c", script, "sh", *program, "run", "-b", path, ID]
        done = subprocess.run(command, capture_output=True, timeout=60 * PATIENCE, check=False)
        krun("delete", "--force", ID)
        found.append(done.returncode)
    assert found[0] == found[1]


WRONG: list[tuple[str, Any, str]] = [
    ("process", None, "process.args is missing or empty"),
    ("process", 3, "process must be an object, found 3"),
    ("process.args", "sh", "process.args must be a list, found 'sh'"),
    ("process.args", ["a\0b"], "process.args must be a list of strings without NUL"),
    ("process.env", [1], "process.env must be a list of strings"),
    ("process.cwd", [], "process.cwd must be a string"),
    ("process.capabilities", [], "process.capabilities must be an object"),
    ("root", None, "root.path is missing"),
    ("root.path", "nope", "cannot open the root file system"),
    ("root.path", "config.json", "cannot open the root file system"),
    ("mounts", {}, "mounts must be a list"),
    ("mounts", [], "its /dev is not an empty tmpfs of its own"),
    ("mounts", [{"type": "tmpfs"}], "mounts.destination is None"),
    ("hooks", {"createContainer": [1]}, "hooks.createContainer must be a list of objects"),
    ("linux", None, "it has no mount namespace of its own"),
    (
        "linux.namespaces",
        [{"type": "mount", "path": "/proc/1/ns/mnt"}],
        "it has no mount namespace",
    ),
    ("annotations", {"app.kontain.policy": "x"}, "asks for 'x', and this host offers nothing"),
]


@pytest.mark.parametrize(("where", "value", "words"), WRONG, ids=lambda item: str(item)[:30])
def test_wrong_configuration(
    krun: Runtime, bundle: BundleFolder, where: str, value: Any, words: str
) -> None:
    """A wrong member is named, with what is wanted and found, and nothing is left behind."""
    bundle.args("true")
    *above, last = where.split(".")
    holder: dict[str, Any] = bundle.doc
    for name in above:
        holder = holder[name]
    holder[last] = value
    bundle.write()

    done = krun("run", "-b", str(bundle.path), ID)
    assert done.returncode == 125, done.stderr
    assert words in done.stderr
    assert [line.split(":")[0] for line in done.stderr.splitlines()] == ["krun", "To fix"]
    assert not krun.root.exists() or not list(krun.root.iterdir())


def test_device_of_kvm_in_the_configuration(krun: Runtime, bundle: BundleFolder) -> None:
    """A device /dev/kvm that an engine adds, with whatever mode, is not in the way."""
    device = {"path": "/dev/kvm", "type": "c", "major": 10, "minor": 232, "fileMode": 0o600}
    bundle.doc["linux"]["devices"] = [{**device, "uid": 0, "gid": 0}]
    bundle.doc["process"]["user"] = {"uid": 1000, "gid": 1000}

    done = krun("run", "-b", bundle.args("uname", "-r"), ID)
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


def test_id_that_begins_with_a_dash(krun: Runtime, bundle: BundleFolder) -> None:
    """After `--` an ID is no option, whatever it looks like."""
    done = krun("run", "-b", bundle.args("true"), "--", "-c")

    assert done.returncode == 0, done.stderr
