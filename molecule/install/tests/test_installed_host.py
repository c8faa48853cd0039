# SPDX-License-Identifier: Apache-2.0
"""A host with podman and docker after the playbook install."""

import json

from testinfra.host import Host  # type: ignore[import-untyped]  # it has no types

PREFIX = "/opt/kontain"
RELEASE_OF_GUEST = ".kontain.KVM"


def test_host_is_one_of_today(host: Host) -> None:
    """The scenario shows what it says: systemd, cgroup v2 and AMD's virtualization."""
    assert host.check_output("stat -fc %T /sys/fs/cgroup") == "cgroup2fs"
    assert host.check_output("cat /proc/1/comm") == "systemd"
    assert "svm" in host.file("/proc/cpuinfo").content_string.split()


def test_release_is_whole(host: Host) -> None:
    """Every file of the release is there and has the contents that its manifest says."""
    assert host.run(f"cd {PREFIX}/current && sha256sum --check --quiet MANIFEST").rc == 0
    assert host.check_output(f"readlink {PREFIX}/bin") == "current/bin"


def test_release_is_roots_alone(host: Host) -> None:
    """Nobody but root may change anything of the release, the configuration or the journal."""
    folders = f"{PREFIX} /etc/kontain /var/lib/kontain"
    unsafe = r"\( ! -user root -o ! -type l -perm /022 \)"
    assert host.check_output(f"find {folders} {unsafe}") == ""


def test_device_keeps_its_mode(host: Host) -> None:
    """The device /dev/kvm keeps the owner and mode that the distribution gave it."""
    device = host.file("/dev/kvm")
    assert (device.user, device.group, device.mode) == ("root", "kvm", 0o660)


def test_km_runs_a_program_in_a_vm(host: Host) -> None:
    """A payload of km sees a kernel release that ends in .kontain.KVM."""
    done = host.run(f"{PREFIX}/bin/km /bin/busybox uname -r")
    assert (done.rc, done.stderr) == (0, "")
    assert done.stdout.strip().endswith(RELEASE_OF_GUEST)


def test_check_finds_the_host_good(host: Host) -> None:
    """The command `kontain check` ends with status 0 on an installed host."""
    done = host.run(f"{PREFIX}/bin/kontain check")
    assert done.rc == 0, done.stdout


def test_verify_proves_every_engine(host: Host) -> None:
    """The command `kontain verify` runs payloads by km, krun, podman and docker, each in a VM."""
    done = host.run(f"{PREFIX}/bin/kontain verify --json")
    assert done.rc == 0, done.stdout
    passed = {r["check"] for r in json.loads(done.stdout)["results"] if r["status"] == "pass"}
    assert passed >= {"proof-km", "proof-krun", "proof-podman", "proof-docker"}


def test_engines_find_the_runtime_by_its_stable_path(host: Host) -> None:
    """Both engines know kontain, by the path that stays when the version is switched."""
    docker = json.loads(host.check_output("docker info --format '{{json .Runtimes}}'"))
    assert docker["kontain"]["path"] == f"{PREFIX}/bin/krun"
    drop_in = host.file("/etc/containers/containers.conf.d/kontain.conf")
    podman = drop_in if drop_in.exists else host.file("/etc/containers/containers.conf")  # 3.0
    assert f"{PREFIX}/bin/krun" in podman.content_string


def test_docker_was_not_restarted(host: Host) -> None:
    """The daemon that ran before the installation still runs, and containers with it."""
    before = host.file("/run/molecule/docker.pid").content_string
    assert host.check_output("systemctl show docker.service -P MainPID") == before.strip()
