# SPDX-License-Identifier: Apache-2.0
"""CRI-O learns of the runtime by a drop-in file and SIGHUP.

CRI-O is not packaged for Debian: a stand-in answers at its socket as server/inspect.go says, and
reads the drop-in files on SIGHUP as 1.26 and newer do.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import tomllib

from kontain_host import engines
from kontain_host.engines import crio
from kontain_host.engines.crio import DROP_IN
from kontain_host.errors import HostError
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.uninstall import uninstall
from kontain_preflight.unix_http import get

from .small_host import SmallHost, snapshot

KRUN = "/opt/kontain/bin/krun"
STAND_IN = """
import glob, http.server, os, signal, socketserver, sys
root = sys.argv[1]
folder, place = root + "/etc/crio/crio.conf.d/*.conf", root + "/var/run/crio/crio.sock"
def read():
    return b"".join(open(name, "rb").read() for name in sorted(glob.glob(folder)))
loaded = [read()]
signal.signal(signal.SIGHUP, lambda *_: loaded.append(read()))
class Answer(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if self.path == "/config" else 404)
        self.end_headers()
        self.wfile.write(loaded[-1])
    def address_string(self):
        return "unix"
    def log_message(self, *_):
        pass
os.makedirs(os.path.dirname(place), exist_ok=True)
server = socketserver.UnixStreamServer(place, Answer)
print(flush=True)
server.serve_forever()
"""


def register(host: SmallHost) -> Report:
    """Register the runtime in CRI-O."""
    return perform(host, "crio", lambda report: engines.plan(host, "crio", report))


@pytest.mark.parametrize("version", ["1.18.0", "1.26.4", "1.34.1"])
def test_the_drop_in_has_both_names(host: SmallHost, version: str) -> None:
    """Both names lead to the stable path; a second run changes nothing; uninstall is exact."""
    host.add_command("crio", 0, f"crio version {version}\n")
    before = snapshot(Path(host.root))
    register(host)
    handlers = tomllib.loads(host.path(DROP_IN).read_text())["crio"]["runtime"]["runtimes"]
    assert handlers["kontain"] == {
        "runtime_path": KRUN,
        "runtime_type": "oci",
        "runtime_root": "/run/kontain",
    }
    assert handlers["krun"]["runtime_path"] == KRUN
    assert not register(host).changed
    uninstall(host)
    assert snapshot(Path(host.root)) == before


def test_a_crio_without_drop_ins_is_refused(host: SmallHost) -> None:
    """Before 1.18 the file would not be read."""
    host.add_command("crio", 0, "crio version 1.17.5\n")
    with pytest.raises(HostError, match=r"its version is 1\.17, wanted 1\.18 or newer"):
        register(host)


@pytest.mark.parametrize(
    "text",
    [
        '[crio.runtime.runtimes.kontain]\nruntime_path = "/other"\n',
        '[crio.runtime]\nruntimes = { kontain = { runtime_path = "/other" } }\n',
        '[crio]\nruntime.runtimes.kontain.runtime_path = """/other"""\n',
    ],
)
@pytest.mark.parametrize("file", ["/etc/crio/crio.conf", "/etc/crio/crio.conf.d/10-other.conf"])
def test_another_runtime_of_the_name_is_an_error(host: SmallHost, file: str, text: str) -> None:
    """A handler "kontain" in another of its files is seen, and named with its path."""
    host.add_command("crio", 0, "crio version 1.30.0\n")
    host.path(file).parent.mkdir(parents=True)
    host.path(file).write_text(text)
    with pytest.raises(HostError, match="a runtime 'kontain' with path '/other', wanted"):
        register(host)


@pytest.fixture
def running(host: SmallHost, monkeypatch: pytest.MonkeyPatch) -> Iterator[SmallHost]:
    """Return a host whose CRI-O runs; it is this Python, which is found by its process id."""
    host.add_command("crio", 0, "crio version 1.28.0\n")
    command = [sys.executable, "-c", STAND_IN, host.root]
    process = subprocess.Popen(command, stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()  # it listens
    monkeypatch.setattr(crio, "_running", lambda _: process.pid)
    yield host
    process.kill()
    process.communicate()
    shutil.rmtree(host.path("/var/run"))


def known(host: SmallHost) -> bool:
    """Return whether the CRI-O that runs knows the runtime."""
    return b"runtimes.kontain]" in get(str(host.path("/var/run/crio/crio.sock")), "/config")


def test_a_crio_that_runs_loads_and_forgets(running: SmallHost) -> None:
    """After registration it knows the runtime, after uninstall no more; both without a restart."""
    assert not known(running)
    assert register(running).warnings == []
    assert known(running)
    assert not register(running).changed
    uninstall(running)
    assert not known(running)


def test_an_older_crio_that_runs_wants_a_restart(running: SmallHost) -> None:
    """Before 1.26 SIGHUP does not load runtimes: nothing is sent, and what to do is said."""
    running.answers["crio"] = (0, "crio version 1.25.2\n")
    assert "systemctl restart crio" in register(running).warnings[0]
    assert not known(running)
