# SPDX-License-Identifier: Apache-2.0
"""containerd learns of the runtime by the means of its version and schema, and forgets it exactly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from kontain_host import engines
from kontain_host.engines.containerd import DROP_IN
from kontain_host.errors import HOST_REFUSED, HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall

from .fake_containerd import GRPC, RUNTIME, containerd, load
from .fake_podman import podman_of
from .small_host import SmallHost, snapshot
from .toml_corpus import DEBIAN_CONTAINERD, DOCKER_CONTAINERD, KUBEADM_CONTAINERD, SCHEMA_3

KRUN = "/opt/kontain/bin/krun"
CONFIG = "/etc/containerd/config.toml"
OLD, NEW = (
    "containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20\n",
    "containerd v2.2.1 x\n",
)
GLOB = "/etc/containerd/conf.d/*.toml"


def make(host: SmallHost, version: str, text: str | None) -> SmallHost:
    """Give a host a containerd of a version, with a configuration or none."""
    host.add_program("containerd", containerd(host, version))
    if text is not None:
        host.path(CONFIG).parent.mkdir()
        host.path(CONFIG).write_text(text)
    return host


def register(host: SmallHost, *, replace: bool = False) -> Report:
    """Register the runtime in containerd."""
    wish = engines.Registration(replace=replace)
    return perform(host, "c", lambda report: engines.plan(host, "containerd", report, wish))


def loaded(host: SmallHost) -> dict[str, Any]:
    """Return what containerd 2 loads: its file, and the files that it imports, merged."""
    config: dict[str, Any] = {}
    load(host, host.path(CONFIG), config, deep=True)
    return config


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
    driver = {"SystemdCgroup": True} if text == KUBEADM_CONTAINERD else {}
    for name in ("kontain", "krun"):
        assert handlers[name] == {
            "runtime_type": "io.containerd.runc.v2",
            "options": {"BinaryName": KRUN, **driver},
        }
    assert ("runc" in handlers) == (plugin != RUNTIME)  # 1.x has no built-in one beside ours
    assert host.path(DROP_IN).exists() == (schema in (3, 4))
    assert not register(host).changed
    assert uninstall(host).left == []
    assert snapshot(Path(host.root)) == before


RUNC = f'plugins."{GRPC}".containerd.runtimes.runc'
NVIDIA = f'plugins."{GRPC}".containerd.runtimes.nvidia'
KONTAIN = f'plugins."{GRPC}".containerd.runtimes.kontain'


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        (f"[{RUNC}.options]\nSystemdCgroup = true\nRoot = '/r'\n", {"SystemdCgroup": True}),
        (f"[{RUNC}.options]\nSystemdCgroup = false\n", {}),
        (
            (
                f'[plugins."{GRPC}".containerd]\ndefault_runtime_name = "nvidia"\n'
                f'[{NVIDIA}]\nruntime_type = "io.containerd.runc.v2"\n[{NVIDIA}.options]\n'
                'BinaryName = "/n"\nNoNewKeyring = true\nSystemdCgroup = true\nIoUid = 7\n'
            ),
            {"SystemdCgroup": True, "NoNewKeyring": True, "IoUid": 7},
        ),
        (
            (
                f'[plugins."{GRPC}".containerd]\ndefault_runtime_name = "kata"\n'
                f'[{NVIDIA.replace("nvidia", "kata")}]\nruntime_type = "io.containerd.kata.v2"\n'
                f"[{RUNC}.options]\nSystemdCgroup = true\n"
            ),
            {"SystemdCgroup": True},
        ),
        (
            (
                f"[{RUNC}.options]\nSystemdCgroup = true\n[{KONTAIN}.options]\n"
                f'BinaryName = "{KRUN}"\nSystemdCgroup = false\n'
            ),
            {"SystemdCgroup": False},  # somebody has decided so
        ),
    ],
)
@pytest.mark.parametrize("version", [OLD, NEW])
def test_the_options_of_the_default_runtime_are_ours_too(
    host: SmallHost, version: str, text: str, wanted: dict[str, object]
) -> None:
    """Where the kubelet's control groups are systemd's, a pod of ours is inside its slice as well."""
    make(host, version, f"version = 2\n{text}")
    before = snapshot(Path(host.root))
    register(host)
    handlers = loaded(host)["plugins"][GRPC]["containerd"]["runtimes"]
    assert handlers["kontain"]["options"] == {"BinaryName": KRUN, **wanted}
    assert not register(host).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_an_older_registration_gets_the_options(host: SmallHost) -> None:
    """One that was made without them is completed by the next run."""
    own = f'[{KONTAIN}]\nruntime_type = "io.containerd.runc.v2"\n[{KONTAIN}.options]\nBinaryName = "{KRUN}"\n'
    make(host, OLD, f"version = 2\n[{RUNC}.options]\nSystemdCgroup = true\n{own}")
    assert register(host).changed
    assert f'BinaryName = "{KRUN}"\nSystemdCgroup = true\n' in host.path(CONFIG).read_text()


DROPPED = f'version = 2\n[{NVIDIA}]\nruntime_type = "io.containerd.runc.v2"\n'


@pytest.mark.parametrize("imported", ["/etc/containerd/x.d/*.toml", "a.toml"])
def test_the_file_whose_table_counts_gets_the_runtime(host: SmallHost, imported: str) -> None:
    """Containerd 1.x takes the plugin's table of the last import: ours goes there, theirs stays."""
    make(host, OLD, f"version = 2\nimports = ['{imported}']\n")
    imports = "imports = ['/etc/containerd/x.d/*.toml']\n"
    host.path("/etc/containerd/x.d").mkdir()
    host.path("/etc/containerd/a.toml").write_text(imports)
    for name, text in (
        ("1.toml", "version = 2\n"),
        ("2.toml", DROPPED),
        ("3.toml", "oom_score = 1\n"),
    ):
        host.path(f"/etc/containerd/x.d/{name}").write_text(text)
    before = snapshot(Path(host.root))
    report = register(host)
    assert [change["path"] for change in report.changes] == ["/etc/containerd/x.d/2.toml"]
    config: dict[str, Any] = {}
    load(host, host.path(CONFIG), config, deep=False)
    assert sorted(config["plugins"][GRPC]["containerd"]["runtimes"]) == [
        "kontain",
        "krun",
        "nvidia",
        "runc",
    ]
    assert not register(host).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_files_that_nobody_imports_stay_so(host: SmallHost) -> None:
    """A file of others in conf.d is not brought to life by the import of ours."""
    make(host, NEW, "version = 3\n")
    host.path(DROP_IN).parent.mkdir()
    host.path(DROP_IN).with_name("old.toml").write_text("version = 3\nroot = '/elsewhere'\n")
    register(host)
    assert "root" not in loaded(host)
    assert "kontain" in loaded(host)["plugins"][RUNTIME]["containerd"]["runtimes"]


def test_what_containerd_does_not_see_is_not_done(host: SmallHost) -> None:
    """Where an import takes the name away again, the run fails, says so, and takes all back."""
    make(host, NEW, "version = 3\nimports = ['/etc/containerd/conf.d/*.toml']\n")
    host.path(DROP_IN).parent.mkdir()
    table = KONTAIN.replace(GRPC, RUNTIME)
    last = host.path(DROP_IN).with_name("zz.toml")
    last.write_text(f'version = 3\n[{table}.options]\nBinaryName = "/other"\n')
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match="the runtime kontain has the program /other, wanted"):
        register(host, replace=True)
    assert snapshot(Path(host.root)) == before


def test_a_containerd_that_refuses_its_files_is_quoted(host: SmallHost) -> None:
    """The message has its words about a broken import, and nothing is written."""
    make(host, OLD, "version = 2\n")
    works = containerd(host, OLD)
    host.add_program(
        "containerd",
        lambda command: (1, "x.toml: (1, 2): bad") if "dump" in command else works(command),
    )
    before = snapshot(Path(host.root))
    with pytest.raises(HostError, match=r"config dump` fails: x.toml: \(1, 2\): bad"):
        register(host)
    assert snapshot(Path(host.root)) == before


def test_edits_of_others_stay(host: SmallHost) -> None:
    """A user who adds a runtime and a comment afterwards keeps both; ours goes."""
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
    """A user who chooses no engine gets docker and podman, and no restart of containerd."""
    make(host, OLD, None)
    host.add_program("podman", podman_of(host, "podman version 4.3.1"))
    host.add_command("crio", 0, "crio version 1.28.0")
    assert engines.present(host) == ["containerd", "crio", "podman"]
    assert engines.usual(host) == ["podman"]
