# SPDX-License-Identifier: Apache-2.0
"""A containerd of the tests' own, called by ctr and, as a kubelet does, through its CRI plugin.

The CRI is gRPC: a protobuf message in an HTTP/2 request (https://github.com/grpc/grpc, its
doc/PROTOCOL-HTTP2.md), which curl can make. Messages are written by field number; the numbers are
those of k8s.io/cri-api, pkg/apis/runtime/v1/api.proto.
"""

from __future__ import annotations

import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Union

from .engines import DEBIAN, Podman, PrivateHost
from .support import KRUN, PATIENCE

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


class Containerd:
    """A containerd with the tests' image, and krun as the default runtime of its CRI plugin."""

    def __init__(self, folder: Path, host: PrivateHost) -> None:
        """Start its daemon in HOST, wait until it answers, and give it images made by podman."""
        self.folder = folder
        self.host = host
        path = folder / "containerd.toml"
        path.write_text(CONFIGURATION.format(folder=folder, pause=PAUSE, krun=KRUN))
        command = host.command("containerd", "-c", str(path))
        with (folder / "log").open("w") as log:
            self.daemon = subprocess.Popen(command, stdout=log, stderr=log)
        end = time.monotonic() + START_TIMEOUT_S
        while self.ctr("version").returncode != 0:
            assert time.monotonic() < end, (folder / "log").read_text()
            time.sleep(0.2)
        self._load()

    def _load(self) -> None:
        podman = Podman(self.folder, self.host)
        pause = '--change=CMD ["/bin/sleep", "1000000"]'
        layer, saved = f"{self.folder}/write_debian.tar", f"{self.folder}/images.tar"
        calls = [
            podman("import", pause, layer, PAUSE),
            podman("save", "-m", "-o", saved, DEBIAN, PAUSE),
            self.ctr("image", "import", saved),
            self.ctr("-n", "k8s.io", "image", "import", "--snapshotter=native", saved),
        ]
        for done in calls:
            assert done.returncode == 0, done.stderr
        podman.close()

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
            self.host.command(
                "curl", "--silent", "--show-error", "--http2-prior-knowledge", "--unix-socket",
                f"{self.folder}/ctr.sock", "--header", "content-type: application/grpc",
                "--header", "te: trailers", "--data-binary", "@-", "--dump-header", "/dev/stderr",
                f"http://localhost/runtime.v1.RuntimeService/{method}",
            ),
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
