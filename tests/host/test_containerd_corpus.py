# SPDX-License-Identifier: Apache-2.0
"""A real containerd sees ours and all of theirs, whatever its files are, and has them back exactly."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from kontain_host import engines
from kontain_host.engines.containerd_runtimes import (
    programs,
    runtimes_table,
    schema_of,
    shared_options,
)
from kontain_host.engines.containerd_view import dump
from kontain_host.host import Host
from kontain_host.transaction import perform
from kontain_host.uninstall import withdraw
from kontain_preflight.toml_text import Document

from .small_host import PYTHON_PATH, snapshot
from .toml_corpus import DEBIAN_CONTAINERD, KUBEADM_CONTAINERD

RUNC = "/usr/sbin/runc"
FOLDER = Path("/etc/containerd")
CRI = 'plugins."io.containerd.grpc.v1.cri".containerd'
NVIDIA = (
    f'[{CRI}]\ndefault_runtime_name = "nvidia"\n[{CRI}.runtimes.nvidia]\n'
    f'runtime_type = "io.containerd.runc.v2"\n[{CRI}.runtimes.nvidia.options]\n'
    'BinaryName = "/usr/bin/nvidia-container-runtime"\nSystemdCgroup = true\n'
)
GVISOR = f'[{CRI}.runtimes.runsc] # gVisor\nruntime_type = "io.containerd.runsc.v1"\n'
IMPORTS = 'version = 2\nimports = ["/etc/containerd/x.d/*.toml"]\n'
CORPUS: dict[str, dict[str, str]] = {
    "none": {},
    "empty": {"config.toml": ""},
    "Debian": {"config.toml": DEBIAN_CONTAINERD},
    "kubeadm": {"config.toml": KUBEADM_CONTAINERD},
    "CRLF": {"config.toml": KUBEADM_CONTAINERD.replace("\n", "\r\n")},
    "no newline at the end": {"config.toml": f"version = 2\n{NVIDIA}".rstrip()},
    "nvidia is the default": {"config.toml": f"version = 2\n{NVIDIA}{GVISOR}"},
    "import with the plugin": {
        "config.toml": f"{IMPORTS}{GVISOR}",
        "x.d/nvidia.toml": f"version = 2\n{NVIDIA}",
    },
    "import without the plugin": {
        "config.toml": f"{IMPORTS}{NVIDIA}{GVISOR}",
        "x.d/root.toml": 'version = 2\n[debug]\nlevel = "info"\n',
    },
    "imports of imports": {
        "config.toml": 'version = 2\nimports = ["a.toml", "b.toml"]\n',
        "a.toml": f'version = 2\nimports = ["c.toml"]\n{GVISOR}',
        "b.toml": f"version = 2\n{NVIDIA}",
        "c.toml": f"version = 2\n{NVIDIA}{GVISOR}",
    },
}


def kept() -> dict[str, str | None]:
    """Return name → BinaryName of the runtimes that containerd would start with."""
    view = dump(Host(), str(FOLDER / "config.toml"))
    return {name: program or None for name, program in programs(view, schema_of(view)).items()}


def judge(name: str) -> None:
    """Register and unregister with the files of one case; runs in a sandbox."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    for path, text in CORPUS[name].items():
        (FOLDER / path).parent.mkdir(parents=True, exist_ok=True)
        (FOLDER / path).write_bytes(text.encode())
    before, theirs = snapshot(Path("/etc")), kept()
    wish = engines.Registration(path=RUNC)
    report = perform(Host(), "c", lambda report: engines.plan(Host(), "containerd", report, wish))
    assert report.changed
    view = dump(Host(), str(FOLDER / "config.toml"))
    assert {**theirs, "kontain": RUNC, "krun": RUNC} == kept()
    options = shared_options(view, schema_of(view))
    assert ("SystemdCgroup" in options) == ("SystemdCgroup = true" in str(CORPUS[name]))
    assert dumped_option(view, "kontain") == options.get("SystemdCgroup")
    withdraw(Host(), "containerd")
    assert (snapshot(Path("/etc")), kept()) == (before, theirs)


def dumped_option(view: Document, name: str) -> str | None:
    """Return the driver of a runtime's control groups as TOML, None for containerd's default."""
    table = runtimes_table(schema_of(view))
    return "true" if view.value((*table, name, "options", "SystemdCgroup")) else None


@pytest.mark.needs_root
@pytest.mark.parametrize("name", list(CORPUS))
def test_nothing_of_theirs_is_lost(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], name: str
) -> None:
    """Registered: it has all that it had, and ours with the default's options; then byte for byte."""
    if shutil.which("containerd") is None:
        pytest.skip("needs containerd: install the package of that name")
    code = f"from tests.host.test_containerd_corpus import judge; judge({name!r})"
    path = f"PYTHONPATH={PYTHON_PATH['PYTHONPATH']}"
    done = in_sandbox("env", path, "python3", "-c", code)
    assert done.returncode == 0, done.stderr
