# SPDX-License-Identifier: Apache-2.0
"""containerd learns of the runtime by the means of its version and schema, and forgets it exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import tomllib
from small_host import SmallHost, snapshot
from toml_corpus import DEBIAN_CONTAINERD, DOCKER_CONTAINERD, KUBEADM_CONTAINERD, SCHEMA_3

from kontain_host import engines
from kontain_host.engines.containerd import DROP_IN
from kontain_host.errors import HOST_REFUSED, HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall

KRUN = "/opt/kontain/bin/krun"
CONFIG = "/etc/containerd/config.toml"
OLD, NEW = (
    "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20\n",
    "containerd v2.2.1 x\n",
)
GRPC, RUNTIME = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"
GLOB = "/etc/containerd/conf.d/*.toml"


def make(host: SmallHost, version: str, text: str | None) -> SmallHost:
    """Give a host a containerd of a version, with a configuration or none."""
    host.add_command("containerd", 0, version)
    if text is not None:
        host.path(CONFIG).parent.mkdir()
        host.path(CONFIG).write_text(text)
    return host


def register(host: SmallHost, *, replace: bool = False) -> Report:
    """Register the runtime in containerd."""
    wish = engines.Registration(replace=replace)
    return perform(host, "c", lambda report: engines.plan(host, "containerd", report, wish))


def loaded(host: SmallHost) -> dict[str, Any]:
    """Return what containerd loads: its file, and the files that it imports, merged."""
    config = tomllib.loads(host.path(CONFIG).read_text())
    if GLOB in config.get("imports", []):
        extra = tomllib.loads(host.path(DROP_IN).read_text())
        assert extra["version"] == config["version"]
        merge(config, extra)
    return config


def merge(into: dict[str, Any], extra: dict[str, Any]) -> None:
    """Merge tables deeply, as containerd 2 does."""
    for key, value in extra.items():
        if isinstance(value, dict):
            merge(into.setdefault(key, {}), value)
        else:
            into[key] = value


CASES = [
    (OLD, None, GRPC, 2),
    (OLD, "", GRPC, 2),
    (OLD, "# nothing\n", GRPC, 2),
    (OLD, DEBIAN_CONTAINERD, GRPC, 2),
    (OLD, KUBEADM_CONTAINERD, GRPC, 2),
    (OLD, 'root = "/x"\n', "cri", None),
    (NEW, None, RUNTIME, 3),
    (NEW, SCHEMA_3, RUNTIME, 3),
    (NEW, SCHEMA_3.replace("version = 3", "version = 4"), RUNTIME, 4),
    (NEW, f"version = 3\nimports = ['{GLOB}']\n", RUNTIME, 3),
    (NEW, DEBIAN_CONTAINERD, GRPC, 2),  # containerd 2 migrates it
]


@pytest.mark.parametrize(("version", "text", "plugin", "schema"), CASES)
def test_each_schema_has_its_table(
    host: SmallHost, version: str, text: str | None, plugin: str, schema: int | None
) -> None:
    """The handler stands where this schema is read; again is no change; uninstall is exact."""
    make(host, version, text)
    before = snapshot(Path(host.root))
    assert register(host).warnings == []
    config = loaded(host)
    assert config.get("version") == schema
    handlers = config["plugins"][plugin]["containerd"]["runtimes"]
    for name in ("kontain", "krun"):
        assert handlers[name] == {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"BinaryName": KRUN},
        }
    assert ("runc" in handlers) == (plugin != RUNTIME)  # 1.x has no built-in one beside ours
    assert host.path(DROP_IN).exists() == (schema in (3, 4))
    assert not register(host).changed
    assert uninstall(host).left == []
    assert snapshot(Path(host.root)) == before


def test_edits_of_others_stay(host: SmallHost) -> None:
    """Who adds a runtime and a comment afterwards keeps both; ours goes."""
    make(host, OLD, KUBEADM_CONTAINERD)
    register(host)
    config = host.path(CONFIG)
    added = (
        '\n[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kata]\nruntime_type = "k"\n'
    )
    config.write_text(f"# theirs\n{config.read_text()}{added}")
    uninstall(host)
    assert config.read_text() == f"# theirs\n{KUBEADM_CONTAINERD}{added}"


@pytest.mark.parametrize(
    ("version", "text", "why"),
    [
        (OLD, DOCKER_CONTAINERD, "disables the plugin 'cri'"),
        (
            NEW,
            f'version = 3\ndisabled_plugins = ["{RUNTIME}"]\n',
            f"disables the plugin '{RUNTIME}'",
        ),
        (NEW, "version = 5\n", "schema version 5, wanted one of"),
        ("nonsense", None, "says 'nonsense', wanted a version"),
    ],
)
def test_what_could_not_work_is_refused(
    host: SmallHost, version: str, text: str | None, why: str
) -> None:
    """Without CRI, with an unknown schema or version: an error, status 3, and no change."""
    make(host, version, text)
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=why) as caught:
        register(host)
    assert caught.value.status == HOST_REFUSED
    assert snapshot(Path(host.root)) == before


def test_a_broken_file_is_refused(host: SmallHost) -> None:
    """A file that is no TOML is not touched; the line is named."""
    make(host, OLD, "version = 2\n[plugins\n")
    with pytest.raises(HostError, match=r"cannot edit .*config.toml: line 2: wanted \]"):
        register(host)


def test_a_host_without_containerd_is_refused(host: SmallHost) -> None:
    """Its version decides what to write, so it has to be there."""
    with pytest.raises(HostError, match="there is no containerd on this host"):
        register(host)


def test_another_runtime_of_the_name_is_an_error(host: SmallHost) -> None:
    """It is named with its program; with `replace` it is replaced, and comes back."""
    table = f'[plugins."{GRPC}".containerd.runtimes.kontain.options]\nBinaryName = "/other"\n'
    make(host, OLD, f"version = 2\n{table}")
    with pytest.raises(HostError, match="a runtime 'kontain' with path '/other', wanted '/opt"):
        register(host)
    register(host, replace=True)
    assert f'BinaryName = "{KRUN}"' in host.path(CONFIG).read_text()
    uninstall(host)
    assert host.path(CONFIG).read_text() == f"version = 2\n{table}"


def test_containerd_is_no_usual_engine(host: SmallHost) -> None:
    """Who chooses no engine gets docker and podman, and no restart of containerd."""
    make(host, OLD, None)
    host.add_command("podman", 0, "podman version 4.3.1")
    host.add_command("crio", 0, "crio version 1.28.0")
    assert engines.present(host) == ["containerd", "crio", "podman"]
    assert engines.usual(host) == ["podman"]
