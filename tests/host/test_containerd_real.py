# SPDX-License-Identifier: Apache-2.0
"""A real containerd loads the runtime's handler by a restart, and forgets it by another."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from .small_host import PYTHON_PATH, ROOT

CONFIG = """\
version = 2 # somebody's
root = "{folder}/root"
state = "{folder}/state"
[grpc]
  address = "{folder}/c.sock"
[plugins."io.containerd.grpc.v1.cri".containerd]
  snapshotter = "native"
"""

REGISTER = """
import sys
from kontain_host import engines
from kontain_host.host import Host
from kontain_host.transaction import perform
from kontain_host.uninstall import withdraw
if sys.argv[1] == "absent":
    withdraw(Host(), "containerd")
else:
    wish = engines.Registration(path="/usr/sbin/runc", restart=sys.argv[1] == "restart")
    report = perform(Host(), "c", lambda report: engines.plan(Host(), "containerd", report, wish))
    print(len(report.changes), "changes;", *report.warnings)
"""

SCRIPT = """
set -eu
cp {service} /usr/local/sbin/systemctl
mkdir -p /etc/containerd
cp {tmp}/config.toml /etc/containerd/config.toml
sha256sum /etc/containerd/config.toml >{tmp}/before
register() {{ python3 {tmp}/register.py "$1"; }}
# Status of the CRI (api.proto), verbose: its configuration, as loaded.
ask() {{
    printf '\\000\\000\\000\\000\\002\\010\\001' | curl --silent --show-error --http2-prior-knowledge \\
        --unix-socket {tmp}/c.sock --header 'content-type: application/grpc' --header 'te: trailers' \\
        --data-binary @- --output {tmp}/status http://localhost/runtime.v1.RuntimeService/Status
}}
handlers() {{
    for _ in $(seq 100); do # the CRI plugin is the last to start
        ask && [ -s {tmp}/status ] && break
        sleep 0.1
    done
    tr -c '[:print:]' '\\n' <{tmp}/status |
        grep -c '"kontain":{{"runtimeType":"io.containerd.runc.v2"' || true
}}
systemctl restart containerd.service
trap 'kill "$(cat /var/lib/containerd-test.pid)"; tail -n 3 /var/lib/containerd-test.log >&2' EXIT
until [ -S {tmp}/c.sock ] && ctr --address {tmp}/c.sock version >/dev/null 2>&1; do sleep 0.1; done
echo "fresh: $(handlers)"
register file
echo "file: $(handlers)"
register absent
register restart
echo "restart: $(handlers)"
register restart
register absent
echo "absent: $(handlers)"
sha256sum --quiet --check {tmp}/before
ls /var/lib/kontain || true
"""


WARNING = (
    "containerd finds the runtime after its next start: `systemctl restart containerd`, "
    "during which containers keep running"
)


@pytest.mark.needs_root
@pytest.mark.slow
def test_a_real_containerd_loads_and_forgets(
    in_sandbox: Callable[..., subprocess.CompletedProcess[str]], tmp_path: Path
) -> None:
    """Without a restart it says what to do; with one the CRI has the handler; then not any more."""
    missing = [name for name in ("containerd", "ctr", "curl") if not shutil.which(name)]
    if missing:
        pytest.skip(f"needs {', '.join(missing)}: install the packages containerd and curl")
    (tmp_path / "config.toml").write_text(CONFIG.format(folder=tmp_path))
    (tmp_path / "register.py").write_text(REGISTER)
    service = ROOT / "tests/host/containerd_service.sh"
    script = SCRIPT.format(service=service, tmp=tmp_path)
    path = f"PYTHONPATH={PYTHON_PATH['PYTHONPATH']}"
    done = in_sandbox("env", path, "bash", "-c", script)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in done.stdout.splitlines() if line] == [
        "fresh: 0",
        f"1 changes; {WARNING}",
        "file: 0",
        "1 changes;",
        "restart: 1",
        "0 changes;",
        "absent: 0",
    ]
