# SPDX-License-Identifier: Apache-2.0
"""The payload's inheritance, its users, and the limits of an engine's environment."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from .support import FOREVER, ID, IN_A_VM, BundleFolder, Runtime, add_user_namespace, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]


def test_descriptors(krun: Runtime, bundle: BundleFolder, payloads: Path) -> None:
    """The payload has the descriptors that it was given, not KVM, and default signals."""
    shutil.copy(payloads / "descriptors", bundle.rootfs / "descriptors")
    path = bundle.args("/descriptors")
    with_three = ["sh", "-c", 'exec "$@" 3</dev/null', "sh"]

    for words, wanted in [([], "0 1 2 default\n"), (["--preserve-fds=1"], "0 1 2 3 default\n")]:
        command = [*with_three, *krun.command("run", "-b", path, *words, ID)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.stdout == wanted, done.stderr


def test_user_without_capabilities(krun: Runtime, bundle: BundleFolder) -> None:
    """KVM works for every user, without a device node or a capability."""
    bundle.doc["process"].update(user={"uid": 1000, "gid": 1000}, capabilities={})
    bundle.doc["process"]["noNewPrivileges"] = True

    done = krun("run", "-b", bundle.args("sh", "-c", "id -u; uname -r"), ID)
    assert done.stdout.startswith("1000\n"), done.stderr


def test_user_namespace(krun: Runtime, bundle: BundleFolder) -> None:
    """KVM works in a user namespace."""
    add_user_namespace(bundle)

    done = krun("run", "-b", bundle.args("uname", "-r"), ID)
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr


@pytest.mark.parametrize("access", ["rw", "ro"])
def test_root_is_noexec_in_a_user_namespace(
    krun: Runtime, bundle: BundleFolder, access: str
) -> None:
    """There, too, nothing of the image can be executed outside of a VM, whatever else the root is."""
    add_user_namespace(bundle)
    bundle.doc["root"]["readonly"] = access == "ro"

    pid = start(krun, bundle, "sleep", FOREVER)
    table = Path(f"/proc/{pid}/mountinfo").read_text().splitlines()
    (options,) = {line.split()[5] for line in table if line.split()[4] == "/"}
    assert {access, "noexec"} <= set(options.split(","))


def test_null_device_stays_the_hosts(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """A null device on a standard stream is not given to the user of the container."""
    add_user_namespace(bundle)
    # A null device of the test's own, so that what is proved cannot harm this machine.
    nulls = tmp_path / "nulls"
    nulls.mkdir()
    private = (
        f"mount -t tmpfs null {nulls}; mknod -m 666 {nulls}/null c 1 3;"
        f' "$@" <{nulls}/null >{nulls}/null && stat -c "%u:%g %a" {nulls}/null'
    )
    command = ["unshare", "-m", "sh", "-ec", private, "sh"]

    done = subprocess.run(
        [*command, *krun.command("run", "-b", bundle.args("cat"), ID)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert (done.returncode, done.stdout) == (0, "0:0 666\n"), done.stderr
    assert not list(Path("/dev").glob(".krun-null-*"))


def test_environment_cannot_steer(krun: Runtime, bundle: BundleFolder) -> None:
    """Engines hand on whatever environment they have, or none."""
    (bundle.path / "posix.py").write_text("raise SystemExit(77)")
    path = bundle.args("uname", "-r")
    foreign = {"PYTHONPATH": str(bundle.path), "PYTHONHOME": "/nope", "PYTHONSTARTUP": "/nope"}

    for env in ({}, foreign):
        done = krun("run", "-b", path, ID, env={"PATH": "/usr/bin:/bin", **env})
        assert done.returncode == 0, done.stderr
