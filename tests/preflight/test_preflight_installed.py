# SPDX-License-Identifier: Apache-2.0
"""`kontain verify` finds each file that is not the installed one, and each wrong registration."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from kontain_preflight.check_installed import check_files, distribution_check, registered_check
from kontain_preflight.engines import ENGINES
from kontain_preflight.engines.containerd import CONTAINERD
from kontain_preflight.engines.kubernetes import (
    K0S,
    MICROK8S,
    TEMPLATED,
    Distribution,
    programs,
)
from kontain_preflight.host import Host
from kontain_preflight.results import FAIL, PASS, SKIP, WARN, Result
from kontain_preflight.toml_text import Document

DISTRIBUTIONS = {one.name: one for one in TEMPLATED}
REGISTERED = [*map(registered_check, ENGINES), *map(distribution_check, TEMPLATED)]
check_registered_containerd = registered_check(CONTAINERD)
FILES = {"bin/km": b"km", "bin/krun": b"krun", "share/hello.km": b"hello" * 1000}


@pytest.fixture
def host(tmp_path: Path) -> Host:
    """Return a host with a release and the programs of both engines."""
    release = tmp_path / "opt/kontain/versions/1.0.0"
    for name, content in FILES.items():
        place = release / name
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_bytes(content)
        place.chmod(0o755)
    lines = [f"{hashlib.sha256(text).hexdigest()}  {name}\n" for name, text in FILES.items()]
    (release / "MANIFEST").write_text("".join(lines))
    (release / "VERSION").write_text("1.0.0\n")
    (tmp_path / "opt/kontain/current").symlink_to("versions/1.0.0")
    (tmp_path / "opt/kontain/bin").symlink_to("current/bin")
    for program in ("containerd", "crio", "dockerd", "podman"):
        place = tmp_path / "usr/bin" / program
        place.parent.mkdir(parents=True, exist_ok=True)
        place.touch(0o755)
    for name in DISTRIBUTIONS:
        rancher(tmp_path, name).mkdir(parents=True)
        (rancher(tmp_path, name) / "config.toml").write_text("version = 3\n")
    return Host(str(tmp_path), "/opt/kontain")


def rancher(root: str | Path, name: str) -> Path:
    """Return the folder of the containerd of a Kubernetes of Rancher's."""
    return Path(root, "var/lib/rancher", name, "agent/etc/containerd")


def configure(host: Host, krun: str) -> None:
    """Register a program as kontain in all engines, which have loaded it."""
    docker = Path(host.place("/etc/docker/daemon.json"))
    podman = Path(host.place("/etc/containers/containers.conf.d/kontain.conf"))
    containerd = Path(host.place("/etc/containerd/conf.d/kontain.toml"))
    crio = Path(host.place("/etc/crio/crio.conf.d/50-kontain.conf"))
    for file in (docker, podman, containerd, crio):
        file.parent.mkdir(parents=True)
    table = "[plugins.'io.containerd.cri.v1.runtime'.containerd.runtimes.kontain"
    containerd.write_text(f'{table}]\n[other]\n{table}.options]\n BinaryName = "{krun}" # ours\n')
    for name in DISTRIBUTIONS:
        tables = f'{table}.options]\n  BinaryName = "{krun}"\n  SystemdCgroup = '
        template = '{{/* comment */}}\n{{ template "base" . }}\n'
        folder = rancher(host.place("/"), name)
        (folder / "config-v3.toml.tmpl").write_text(
            f"{template}{tables}{{{{ .SystemdCgroup }}}}\n"
        )
        (folder / "config.toml").write_text(f"version = 3\n{tables}true\n")
    crio.write_text(f'[crio.runtime.runtimes]\nkontain.runtime_path = "{krun}"\n')
    docker.write_text(f'{{"runtimes": {{"kontain": {{"path": "{krun}"}}}}}}')
    podman.write_text(f'[engine.runtimes]\nkontain = ["{krun}"]\n')


def test_intact_files_pass(host: Host) -> None:
    """All files as in MANIFEST: pass, with their number."""
    result = check_files(host)
    assert (result.status, result.details["files"]) == (PASS, 3)


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["changed", "missing", "directory"])
def test_each_damaged_file_is_named(host: Host, name: str, damage: str) -> None:
    """A changed byte, a missing file, a folder in its place: fail, with the file's name."""
    place = Path(host.place(f"{host.release}/{name}"))
    content = place.read_bytes()
    place.unlink()
    if damage == "changed":
        place.write_bytes(content[:-1] + b"!")
    elif damage == "directory":
        place.mkdir()
    result = check_files(host)
    assert (result.status, result.details["wrong"]) == (FAIL, [name])
    assert name in result.found


@pytest.mark.parametrize("check", REGISTERED)
def test_registration_is_judged(host: Host, check: Callable[[Host], Result]) -> None:
    """Not registered: skip, with how; ours: pass; another program: fail, with both paths."""
    assert (check(host).status, "--engines" in check(host).fix) == (SKIP, True)
    configure(host, "/opt/kontain/bin/krun")
    assert check(host).status == PASS
    Path(host.place("/opt/kontain/versions/1.0.0/bin/krun")).unlink()
    assert (check(host).status, check(host).cause) == (FAIL, "it is missing")


@pytest.mark.parametrize("check", REGISTERED)
def test_another_program_of_the_name_fails(host: Host, check: Callable[[Host], Result]) -> None:
    """The name leads to another program: both paths are named."""
    configure(host, "/usr/bin/runc")
    result = check(host)
    assert result.status == FAIL
    assert "/usr/bin/runc, wanted /opt/kontain/bin/krun" in result.found


@pytest.mark.parametrize("version", [2, 3])
def test_what_the_installer_writes_is_read(tmp_path: Path, version: int) -> None:
    """The check finds the runtime in what the installer itself writes for containerd."""
    from kontain_host.engines.containerd_runtimes import wishes  # noqa: PLC0415  the other part
    from kontain_host.engines.toml_edit import merge  # noqa: PLC0415  the other part

    place = tmp_path / "etc/containerd/config.toml"
    place.parent.mkdir(parents=True)
    own = wishes(version, ["kontain"], "/k/krun", {"SystemdCgroup": "true"}, Document(""))
    place.write_text(merge("# a\n", own))
    assert CONTAINERD.programs(Host(str(tmp_path))) == ["/k/krun"]


@pytest.mark.parametrize("name", DISTRIBUTIONS)
@pytest.mark.parametrize("schema", [2, 3])
def test_rancher_that_was_not_started_since_warns(host: Host, name: str, schema: int) -> None:
    """A template that the installer wrote and that was not loaded: warn, with the service's name."""
    from kontain_host.engines import kubernetes as writer  # noqa: PLC0415  the other part
    from kontain_host.host import Host as Writer  # noqa: PLC0415  the other part
    from kontain_host.transaction import perform  # noqa: PLC0415  the other part

    krun, there = "/opt/kontain/bin/krun", Writer(host.place("/"))
    (rancher(host.place("/"), name) / "config.toml").write_text(f"version = {schema}\n")
    perform(there, "register", lambda report: writer.plan(there, ["kontain"], krun, report))
    assert programs(host, DISTRIBUTIONS[name]) == [krun]
    result = distribution_check(DISTRIBUTIONS[name])(host)
    assert (result.status, f"systemctl restart {name}" in result.fix) == (WARN, True)


@pytest.mark.parametrize("name", DISTRIBUTIONS)
def test_a_file_of_rancher_that_was_not_loaded_warns(host: Host, name: str) -> None:
    """The folder that it imports: warn until it has written its configuration again, then pass."""
    from kontain_host.engines import kubernetes as writer  # noqa: PLC0415  the other part
    from kontain_host.host import Host as Writer  # noqa: PLC0415  the other part
    from kontain_host.transaction import perform  # noqa: PLC0415  the other part

    krun, there = "/opt/kontain/bin/krun", Writer(host.place("/"))
    config = rancher(host.place("/"), name) / "config.toml"
    folder = f"/var/lib/rancher/{name}/agent/etc/containerd/config-v3.toml.d"
    config.write_text(f'version = 3\nimports = ["{folder}/*.toml"]\n')
    os.utime(config, (1000, 1000))
    perform(there, "register", lambda report: writer.plan(there, ["kontain"], krun, report))
    assert distribution_check(DISTRIBUTIONS[name])(host).status == WARN
    os.utime(config)
    assert distribution_check(DISTRIBUTIONS[name])(host).status == PASS


@pytest.mark.parametrize(
    ("one", "config"),
    [
        (K0S, "# k0s_managed=true\nversion = 2\n"),
        (MICROK8S, "version = 2\n"),
    ],
)
def test_what_k0s_and_microk8s_have_not_loaded_warns(
    host: Host, one: Distribution, config: str
) -> None:
    """Not registered: skip; registered: warn until they have written their configuration again."""
    from kontain_host.engines import kubernetes as writer  # noqa: PLC0415  the other part
    from kontain_host.host import Host as Writer  # noqa: PLC0415  the other part
    from kontain_host.transaction import perform  # noqa: PLC0415  the other part

    krun, there = "/opt/kontain/bin/krun", Writer(host.place("/"))
    for path in (one.config, one.made):
        Path(host.place(path)).parent.mkdir(parents=True, exist_ok=True)
        Path(host.place(path)).write_text(config)
    os.utime(host.place(one.made), (1000, 1000))
    check = distribution_check(one)
    assert check(host).status == SKIP
    perform(there, "register", lambda report: writer.plan(there, ["kontain"], krun, report))
    assert programs(host, one) == [krun]
    assert (check(host).status, one.restart in check(host).fix) == (WARN, True)
    os.utime(host.place(one.made))
    assert check(host).status == PASS
    Path(host.place(one.made)).unlink()
    assert check(host).status == WARN


def test_a_configuration_of_k0s_that_an_operator_has_is_judged(host: Host) -> None:
    """k0s makes nothing of it, so that whether it was loaded is not known, and it passes."""
    config = Path(host.place(K0S.config))
    config.parent.mkdir(parents=True)
    table = "[plugins.'io.containerd.grpc.v1.cri'.containerd.runtimes.kontain.options]"
    config.write_text(f'version = 2\n{table}\nBinaryName = "/opt/kontain/bin/krun"\n')
    assert distribution_check(K0S)(host).status == PASS
    config.write_text(f'version = 2\n{table}\nBinaryName = "/usr/bin/other"\n')
    assert distribution_check(K0S)(host).status == FAIL


def test_containerd_itself_says_what_it_has(host: Host) -> None:
    """A file that does not count, for an import replaced its table, is no registration."""
    configure(host, "/opt/kontain/bin/krun")
    program = Path(host.place("/usr/bin/containerd"))
    program.write_text("#!/bin/sh\necho '[plugins.x.containerd.runtimes.runc]'\n")
    assert check_registered_containerd(host).status == SKIP
    table = "[plugins.x.containerd.runtimes.kontain.options]"
    program.write_text(
        f"#!/bin/sh\nprintf '  {table}\\n  BinaryName = \"/opt/kontain/bin/krun\"\\n'\n"
    )
    assert check_registered_containerd(host).status == PASS


SLICE, POD = "kubepods-podx.slice", "/kubepods/burstable/podx"


@pytest.mark.parametrize(
    ("asked", "groups", "fits"),
    [
        (f"{SLICE}:cri-containerd:1", f"0::/kubepods.slice/{SLICE}/cri-containerd-1.scope", True),
        (
            f"{SLICE}:cri-containerd:1",
            f"0::/a.slice/{SLICE}/cri-containerd-1.scope/container",
            True,
        ),
        (f"{SLICE}:cri-containerd:1", f"0::/{SLICE}:cri-containerd:1", False),
        (f"{SLICE}:cri-containerd:1", f"0::/{SLICE}/cri-containerd-10.scope", False),
        (f"{POD}/1", f"5:cpu,cpuacct:/other\n4:memory:/docker/7{POD}/1\n0::/", True),
        (f"{POD}/1", f"5:cpu,cpuacct:{POD}/1\n4:memory:/system.slice/crun-1.scope\n0::/", False),
        (f"{POD}/1", "0::/system.slice/crun-1.scope", False),
        ("", "0::/anywhere", True),
        ("ended", "", True),
    ],
)
def test_a_container_outside_of_its_group_warns(
    host: Host, asked: str, groups: str, *, fits: bool
) -> None:
    """Where the default runtime would have put it, by either driver of the kubelet; else it is named."""
    configure(host, "/opt/kontain/bin/krun")
    task = Path(host.place("/run/containerd/io.containerd.runtime.v2.task/k8s.io/1"))
    group = Path(host.place("/proc/8/cgroup"))
    for folder in (task, group.parent):
        folder.mkdir(parents=True)
    (task / "config.json").write_text(json.dumps({"linux": {"cgroupsPath": asked}}))
    (task / "init.pid").write_text("8")
    group.write_text(f"{groups}\n")
    result = check_registered_containerd(host)
    assert result.status == (PASS if fits else WARN)
    if not fits:
        assert result.details["processes"] == ["8"]
        assert "kontain register containerd" in result.fix
