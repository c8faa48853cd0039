# SPDX-License-Identifier: Apache-2.0
"""The containerd inside k3s and RKE2 learns of the runtime by a template, and forgets it exactly.

Neither is packaged for Debian: the template is rendered here as their documents say, where
`{{ template "base" . }}` is what they wrote before and the only other variable is SystemdCgroup.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import tomllib

from kontain_host import engines
from kontain_host.engines.kubernetes import BASE
from kontain_host.errors import HOST_REFUSED, HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall

from .small_host import SmallHost, snapshot

GRPC, RUNTIME = "io.containerd.grpc.v1.cri", "io.containerd.cri.v1.runtime"
KRUN = "/opt/kontain/bin/krun"
CASES = [
    (name, *schema)
    for name in ("k3s", "rke2")
    for schema in (
        (2, "config.toml.tmpl", "io.containerd.grpc.v1.cri"),
        (3, "config-v3.toml.tmpl", "io.containerd.cri.v1.runtime"),
    )
]


def make(host: SmallHost, name: str, schema: int, plugin: str = "p") -> Path:
    """Give a host a distribution that has started once; return its folder."""
    folder = host.path(f"/var/lib/rancher/{name}/agent/etc/containerd")
    folder.mkdir(parents=True)
    table = (
        f'[plugins."{plugin}".containerd.runtimes.runc]\nruntime_type = "io.containerd.runc.v2"\n'
    )
    (folder / "config.toml").write_text(f"version = {schema}\n{table}")
    return folder


def register(host: SmallHost) -> Report:
    """Register the runtime in containerd."""
    return perform(host, "c", lambda report: engines.plan(host, "containerd", report))


@pytest.mark.parametrize(("name", "schema", "file", "plugin"), CASES)
def test_the_template_adds_the_runtimes(
    host: SmallHost, name: str, schema: int, file: str, plugin: str
) -> None:
    """Rendered, it is the base with both names; a second run changes nothing; uninstall is exact."""
    folder = make(host, name, schema, plugin)
    before = snapshot(Path(host.root))
    report = register(host)
    assert f"{name} finds the runtime after its next start" in report.warnings[0]
    comment, _, text = (folder / file).read_text().partition("\n")
    assert comment.startswith("{{/*")
    base = (folder / "config.toml").read_text()
    rendered = text.replace(BASE, base).replace("{{ .SystemdCgroup }}", "true")
    runtimes = tomllib.loads(rendered)["plugins"][plugin]["containerd"]["runtimes"]
    assert sorted(runtimes) == ["kontain", "krun", "runc"]
    assert runtimes["kontain"] == {
        "runtime_type": "io.containerd.runc.v2",
        "options": {"BinaryName": KRUN, "SystemdCgroup": True},
    }
    again = register(host)
    assert (again.changed, again.warnings) == (False, [])
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_a_template_of_somebody_is_left(host: SmallHost) -> None:
    """A template that is there already is not touched; the message has the lines to add."""
    folder = make(host, "k3s", 3)
    (folder / "config-v3.toml.tmpl").write_text(f"{BASE}\n# mine\n")
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=r"not Kontain's[\s\S]*BinaryName") as refused:
        register(host)
    assert refused.value.status == HOST_REFUSED
    assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize("content", ["version = 9\n", "", "version = = 3\n", "version = []\n"])
def test_an_unknown_schema_is_refused(host: SmallHost, content: str) -> None:
    """A configuration of another schema, of none, or that is no TOML: nothing is written."""
    folder = make(host, "rke2", 3)
    (folder / "config.toml").write_text(content)
    with pytest.raises(HostError, match="cannot register a runtime in rke2"):
        register(host)
    assert sorted(place.name for place in folder.iterdir()) == ["config.toml"]


@pytest.mark.parametrize("name", ["k3s", "rke2"])
def test_a_folder_that_is_imported_gets_a_file(host: SmallHost, name: str) -> None:
    """Since 2026 k3s imports a folder: a file there, a foreign template untouched."""
    folder = make(host, name, 3, RUNTIME)
    config = folder / "config.toml"
    config.write_text(
        f"version = 3\nimports = ['/var/lib/rancher/{name}/agent/etc/containerd/config-v3.toml.d/*.toml']\n"
        f"[plugins.'{RUNTIME}'.containerd.runtimes.runc]\nruntime_type = 'io.containerd.runc.v2'\n"
        f"[plugins.'{RUNTIME}'.containerd.runtimes.runc.options]\nSystemdCgroup = true\n"
    )
    (folder / "config-v3.toml.tmpl").write_text(f"{BASE}\n# mine\n")
    before = snapshot(Path(host.root))
    assert f"{name} finds the runtime after its next start" in register(host).warnings[0]
    made = tomllib.loads((folder / "config-v3.toml.d/kontain.toml").read_text())
    assert made["version"] == 3
    runtimes = made["plugins"][RUNTIME]["containerd"]["runtimes"]
    assert runtimes["kontain"]["options"] == {"BinaryName": KRUN, "SystemdCgroup": True}
    assert not register(host).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


@pytest.mark.parametrize("managed", [True, False])
def test_k0s_merges_a_file_of_its_folder(host: SmallHost, *, managed: bool) -> None:
    """k0s that manages its configuration takes a file; an operator's own configuration is merged into."""
    config = host.path("/etc/k0s/containerd.toml")
    config.parent.mkdir()
    comment = "# k0s_managed=true\n" if managed else ""
    config.write_text(f"{comment}version = 2\nimports = ['/run/k0s/containerd-cri.toml']\n")
    made = host.path("/run/k0s/containerd-cri.toml")
    made.parent.mkdir(parents=True)
    table = f'plugins."{GRPC}".containerd.runtimes.runc.options'
    made.write_text(f"version = 2\n[{table}]\nSystemdCgroup = true\n")
    before = snapshot(Path(host.root))
    assert "k0s finds the runtime after its next start" in register(host).warnings[0]
    place = host.path("/etc/k0s/containerd.d/kontain.toml") if managed else config
    options = {"BinaryName": KRUN, **({"SystemdCgroup": True} if managed else {})}
    found = tomllib.loads(place.read_text())["plugins"][GRPC]["containerd"]["runtimes"]
    assert found["kontain"]["options"] == options
    assert not register(host).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_the_template_of_microk8s_is_merged_into(host: SmallHost) -> None:
    """Its template is TOML with variables in strings, which stay."""
    config = host.path("/var/snap/microk8s/current/args/containerd-template.toml")
    config.parent.mkdir(parents=True)
    config.write_text(
        f'version = 2\n[plugins."{GRPC}".containerd]\nsnapshotter = "${{SNAPSHOTTER}}"\n'
        f'default_runtime_name = "${{RUNTIME}}"\n'
        f'[plugins."{GRPC}".containerd.runtimes.runc]\nruntime_type = "${{RUNTIME_TYPE}}"\n'
        f'[plugins."{GRPC}".containerd.runtimes.runc.options]\nSystemdCgroup = true\n'
    )
    before = snapshot(Path(host.root))
    assert "`snap restart microk8s.daemon-containerd`" in register(host).warnings[0]
    found = tomllib.loads(config.read_text())["plugins"][GRPC]["containerd"]
    assert found["snapshotter"] == "${SNAPSHOTTER}"
    assert found["runtimes"]["kontain"]["options"] == {"BinaryName": KRUN, "SystemdCgroup": True}
    uninstall(host)
    assert snapshot(Path(host.root)) == before
