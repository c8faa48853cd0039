# SPDX-License-Identifier: Apache-2.0
"""Nothing that comes with an image is executed outside a VM: the kernel and the policy see to it."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import pytest

from .support import FOREVER, ID, IN_A_VM, BundleFolder, Runtime, start

pytestmark = [pytest.mark.needs_root, pytest.mark.needs_kvm]

PROGRAMS_OF_THE_KERNEL = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/hotplug",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/poweroff_cmd",
    "/sys/kernel/uevent_helper",
    "/sys/module/printk/parameters/time",
)
"""Each names a program, but the last, which lies where modules have such."""


@pytest.mark.parametrize(
    "place", ["/bin/busybox", "/volume/busybox", "/below/sub/busybox", "/scratch/b", "/dev/b"]
)
def test_kernel_refuses_the_images_programs(
    krun: Runtime, bundle: BundleFolder, tmp_path: Path, place: str
) -> None:
    """A process that executes a file of the container without km is refused, wherever it lies.

    A shell of the host that joins the mount namespace stands for a monitor that was broken out of.
    """
    volume = tmp_path / "volume"
    (volume / "sub").mkdir(parents=True)
    shutil.copy("/bin/busybox", volume / "busybox")
    subprocess.run(["mount", "--bind", volume, volume / "sub"], check=True)
    bundle.doc["mounts"] += [
        {
            "destination": f"/{name}",
            "type": "bind",
            "source": str(volume),
            "options": ["rbind", "exec"],
        }
        for name in ("volume", "below")
    ]
    bundle.doc["mounts"].append(
        {"destination": "/scratch", "type": "tmpfs", "source": "tmpfs", "options": ["exec"]}
    )
    bundle.doc["root"]["readonly"] = False
    try:
        pid = start(krun, bundle, "sleep", FOREVER)
        inside = Path(f"/proc/{pid}/root{place}")
        if not inside.exists():
            shutil.copy("/bin/busybox", inside)
        enter = ["nsenter", "--mount", "--target", str(pid)]
        done = subprocess.run([*enter, place, "true"], capture_output=True, text=True, check=False)
        assert "Permission denied" in done.stderr
        assert (
            subprocess.run([*enter, "/dev/.kontain/km", "--version"], check=False).returncode == 0
        )
    finally:
        krun("delete", "--force", ID)
        subprocess.run(["umount", volume / "sub"], check=True)


@pytest.mark.parametrize("readonly", [True, False])
def test_root_is_writable_or_not(krun: Runtime, bundle: BundleFolder, readonly: bool) -> None:  # noqa: FBT001
    """The hook that forbids execution keeps what the configuration says of writing."""
    bundle.doc["root"]["readonly"] = readonly

    done = krun("run", "-b", bundle.args("sh", "-c", "echo x > /file"), ID)
    assert (done.returncode == 0) is not readonly
    assert (bundle.rootfs / "file").exists() is not readonly


def test_hook_of_the_image_does_not_run(krun: Runtime, bundle: BundleFolder) -> None:
    """A startContainer hook is a program of the image: it is refused, and `features` has none."""
    bundle.doc["hooks"] = {"startContainer": [{"path": "/bin/touch", "args": ["touch", "/x"]}]}
    bundle.doc["root"]["readonly"] = False
    (bundle.rootfs / "bin" / "touch").symlink_to("busybox")

    done = krun("run", "-b", bundle.args("true"), ID)
    assert not (bundle.rootfs / "x").exists()
    assert (done.returncode, done.stdout) == (125, "")
    assert "hooks.startContainer" in done.stderr
    assert "startContainer" not in json.loads(krun("features").stdout)["hooks"]
    assert not krun.root.exists() or not list(krun.root.iterdir())


@pytest.mark.parametrize("binds", [False, True], ids=["own", "bound"])
def test_no_program_is_named_to_the_hosts_kernel(
    krun: Runtime,
    bundle: BundleFolder,
    binds: bool,  # noqa: FBT001
) -> None:
    """Root of a container with all of /proc and /sys names no program to the host's kernel.

    What other files hold stays the operator's choice; opening for appending changes nothing.
    """
    bundle.doc["linux"].update(readonlyPaths=[], maskedPaths=[])
    mounts = [mount for mount in bundle.doc["mounts"] if mount["destination"] != "/sys"]
    mounts.append(
        {"destination": "/sys", "type": "sysfs", "source": "sysfs", "options": ["nodev"]}
    )
    if binds:
        for name in ("proc", "sys"):
            place = {"destination": f"/host/{name}", "type": "bind", "source": f"/{name}"}
            mounts.append({**place, "options": ["rbind", "rprivate"]})
    bundle.doc["mounts"] = mounts
    folder = "/host" if binds else ""
    names = [*PROGRAMS_OF_THE_KERNEL, "/proc/sys/kernel/panic"]
    words = " ".join(f"{folder}{name}" for name in names if Path(name).exists())

    script = f"for f in {words}; do if (: >> $f); then echo $f; fi; done"
    done = krun("run", "-b", bundle.args("sh", "-c", script), ID)
    assert done.stdout.split() == [f"{folder}/proc/sys/kernel/panic"], done.stderr


@pytest.mark.parametrize("cap", ["21", "0x15", "cap_sys_admin=ep", "CAP_SYS_ADMIN "])
def test_capability_by_another_name(krun: Runtime, bundle: BundleFolder, cap: str) -> None:
    """A word that crun reads as CAP_SYS_ADMIN, though none of its names, makes no process."""
    start(krun, bundle, "sleep", FOREVER)
    assert "is not the name of a capability" in krun("exec", "--cap", cap, ID, "true").stderr
    caps = bundle.doc["process"]["capabilities"]
    caps.update({name: [cap] for name in caps})
    done = krun("run", "-b", bundle.args("cat", "/proc/self/status"), "d")
    assert (done.returncode, done.stdout) == (125, "")


def test_exec_of_a_privileged_process(krun: Runtime, bundle: BundleFolder, tmp_path: Path) -> None:
    """CAP_SYS_ADMIN is refused for an exec as for a container, in both of its forms."""
    start(krun, bundle, "sleep", FOREVER)
    path = tmp_path / "process.json"
    caps = {"bounding": ["CAP_SYS_ADMIN"]}
    path.write_text(json.dumps({**bundle.doc["process"], "capabilities": caps}))

    assert "it is privileged" in krun("exec", "--process", str(path), ID).stderr
    assert "it is privileged" in krun("exec", "--cap", "CAP_SYS_ADMIN", ID, "true").stderr


def test_exec_in_a_container_that_krun_did_not_make(krun: Runtime, bundle: BundleFolder) -> None:
    """Without the kernel's word that km is there, nothing is executed."""
    path = bundle.args("sleep", FOREVER)
    command = [*krun.before, krun.backend, "--root", str(krun.root)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run([*command, "create", "-b", path, ID], check=True, **quiet)  # type: ignore[call-overload]

    done = krun("exec", ID, "true")
    assert "it has no km at /dev/.kontain/km" in done.stderr
    assert done.returncode == 125


def test_init_and_its_payload_run_in_a_vm(krun: Runtime, bundle: BundleFolder) -> None:
    """An engine's init is a program like any other; its children run in a VM as well."""
    init = shutil.which("docker-init", path="/usr/bin:/usr/sbin")
    if init is None:
        pytest.skip("docker-init is missing: install the Debian package tini or docker.io")
    bundle.doc["mounts"].append(
        {
            "destination": "/sbin/docker-init",
            "type": "bind",
            "source": str(Path(init).resolve()),
            "options": ["bind", "ro"],
        }
    )

    done = krun("run", "-b", bundle.args("/sbin/docker-init", "--", "uname", "-r"), ID)
    assert done.stdout.endswith(f"{IN_A_VM}\n"), done.stderr
