# SPDX-License-Identifier: Apache-2.0
"""A containerd of the tests' own, called by ctr and, as a kubelet does, through its CRI plugin.

The CRI is gRPC: a protobuf message in an HTTP/2 request (https://github.com/grpc/grpc, its
doc/PROTOCOL-HTTP2.md), which curl can make. Messages are written by field number; the numbers are
those of k8s.io/cri-api, pkg/apis/runtime/v1/api.proto.
"""

from __future__ import annotations

import gzip
import re
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from kontain_runenv.layer import Blob, Layer
from kontain_runenv.oci import Settings, pack_image

from .distribution import write_containerd
from .engines import DEBIAN, PrivateHost, PrivateRoot
from .images import write_debian
from .support import KRUN, PATIENCE, ROOT

Field = tuple[int, Union[int, str, bytes]]
START_TIMEOUT_S = 30
PAUSE = "krun-pause:1"
CONFIGURATION = """\
version = 2
root = "{folder}/containerd"
state = "/run/ctr"
[grpc]
address = "{folder}/ctr.sock"
[plugins."io.containerd.grpc.v1.cri"]
# a development machine may lack CAP_SYS_RESOURCE
restrict_oom_score_adj = true
sandbox_image = "localhost/{pause}"
[plugins."io.containerd.grpc.v1.cri".containerd]
snapshotter = "native"
default_runtime_name = "kontain"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kontain]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.kontain.options]
BinaryName = "{krun}"
"""


NETWORK = '{"cniVersion": "1.0.0", "name": "none", "plugins": [{"type": "none"}]}'
PLUGIN = """\
#!/bin/sh
case $CNI_COMMAND in
    VERSION) echo '{"cniVersion": "1.0.0", "supportedVersions": ["1.0.0"]}' ;;
    ADD)
        ip='{"address": "192.0.2.2/24", "interface": 0}'
        echo '{"cniVersion": "1.0.0", "interfaces": [{"name": "eth0"}], "ips": ['"$ip"']}'
        ;;
esac
"""
"""A plugin of CNI (https://www.cni.dev/docs/spec/) that leaves a pod's network as it is: empty."""


class OfSuite(PrivateRoot):
    """A system with the containerd and the runc of another suite of Debian."""

    def __init__(self, folder: Path, suite: str) -> None:
        """Unpack it below FOLDER, which is seen there as well."""
        root = folder / "root"
        root.mkdir()
        archive = write_containerd(suite)
        subprocess.run(["tar", "-xf", archive, "-C", root, "--exclude=./dev/*"], check=True)
        for place in ("etc/cni/net.d", "opt/cni/bin"):
            (root / place).mkdir(parents=True, exist_ok=True)
        (root / "etc/cni/net.d/none.conflist").write_text(NETWORK)
        for name in ("loopback", "none"):
            (root / "opt/cni/bin" / name).write_text(PLUGIN)
            (root / "opt/cni/bin" / name).chmod(0o755)
        super().__init__("runc", root, ROOT, folder)


class Containerd:
    """A containerd with the tests' image, and krun as the default runtime of its CRI plugin."""

    def __init__(self, folder: Path, host: PrivateHost) -> None:
        """Start its daemon in HOST, wait until it answers, and give it the images."""
        self.folder = folder
        self.host = host
        path = folder / "containerd.toml"
        path.write_text(CONFIGURATION.format(folder=folder, pause=PAUSE, krun=KRUN))
        command = host.command("containerd", "-c", str(path))
        with (folder / "log").open("w") as log:
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + START_TIMEOUT_S * PATIENCE
        while (asked := self.ctr("version")).returncode != 0:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        self.version = re.findall(r"Version: +v?(\S+)", asked.stdout)[-1]  # the server's
        self._load()

    def _load(self) -> None:
        root = self.folder / "debian.tar"
        write_debian(root, self.folder / "debian")
        tarball = Blob(root.read_bytes())
        layer = Layer(Blob(gzip.compress(tarball.data, 1)), tarball.digest)
        # The service that unpacks in containerd 2 is told of one snapshotter.
        by_ctr = () if self.version.startswith("1.") else ("--local",)
        for name, command in ((DEBIAN, ()), (PAUSE, ("/bin/sleep", "1000000"))):
            image = self.folder / f"{name}.tar"
            settings = Settings("", command, {"PATH": "/usr/bin:/bin"}, {}, "/")
            image.write_bytes(pack_image(f"localhost/{name}", [("debian", layer)], settings))
            for namespace, snapshotter in (("default", "overlayfs"), ("k8s.io", "native")):
                words = ("image", "import", *by_ctr, f"--snapshotter={snapshotter}", str(image))
                done = self.ctr("-n", namespace, *words)
                assert done.returncode == 0, done.stderr

    def ctr(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Call ctr with WORDS."""
        command = self.host.command("ctr", "--address", f"{self.folder}/ctr.sock", *words)
        return subprocess.run(
            command, capture_output=True, text=True, timeout=60 * PATIENCE, check=False
        )

    def cri(self, method: str, *fields: Field) -> dict[int, bytes | int]:
        """Call METHOD of the CRI's RuntimeService with a message of FIELDS; return the answer's."""
        body = message(*fields)
        done = subprocess.run(
            [
                "curl", "--silent", "--show-error", "--http2-prior-knowledge", "--unix-socket",
                f"{self.folder}/ctr.sock", "--header", "content-type: application/grpc",
                "--header", "te: trailers", "--data-binary", "@-", "--dump-header", "/dev/stderr",
                f"http://localhost/runtime.v1.RuntimeService/{method}",
            ],
            input=b"\0" + len(body).to_bytes(4, "big") + body,
            capture_output=True, timeout=60 * PATIENCE, check=True,
        )  # fmt: skip
        assert b"grpc-status: 0" in done.stderr, done.stderr.decode()
        return parsed(done.stdout[5:])

    def close(self) -> None:
        """Stop the daemon."""
        self.daemon.terminate()
        self.daemon.wait(30 * PATIENCE)


def message(*fields: Field) -> bytes:
    """Return a protobuf message of FIELDS, each a number and an integer, a text, or a message."""
    whole = b""
    for number, value in fields:
        if isinstance(value, int):
            whole += _varint(number << 3) + _varint(value)
        else:
            content = value.encode() if isinstance(value, str) else value
            whole += _varint(number << 3 | 2) + _varint(len(content)) + content
    return whole


def parsed(content: bytes) -> dict[int, bytes | int]:
    """Return the fields of a protobuf message by number, of a repeated one the last."""
    fields: dict[int, bytes | int] = {}
    rest = iter(content)
    for first in rest:
        key = _take_varint(first, rest)
        value = _take_varint(next(rest), rest)
        fields[key >> 3] = bytes(next(rest) for _ in range(value)) if key & 7 == 2 else value
    return fields


def _varint(number: int) -> bytes:
    low = number & 0x7F
    return bytes([low]) if number == low else bytes([low | 0x80]) + _varint(number >> 7)


def _take_varint(first: int, rest: Iterator[int]) -> int:
    return first if first < 0x80 else first & 0x7F | _take_varint(next(rest), rest) << 7
