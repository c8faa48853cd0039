# SPDX-License-Identifier: Apache-2.0
"""Images for a cluster without a registry: busybox, which is also the sandbox's program."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from kontain_runenv.layer import pack_layer
from kontain_runenv.oci import Settings, pack_image
from kontain_runenv.tree import Node, Tree

BUSYBOX = "localhost/busybox:1"
PAUSE = "localhost/pause:1"
APPLETS = [
    "cat",
    "dd",
    "echo",
    "head",
    "hostname",
    "httpd",
    "id",
    "ls",
    "mkdir",
    "mount",
    "ps",
    "sh",
    "sleep",
    "stat",
    "stty",
    "tail",
    "test",
    "touch",
    "true",
    "tty",
    "uname",
    "wc",
    "wget",
]


def write_images(folder: Path) -> list[Path]:
    """Write both into FOLDER as archives that every engine loads; return them."""
    tree: Tree = {"bin/busybox": Node(mode=0o755, data=Path("/bin/busybox").read_bytes())}
    tree |= {f"bin/{name}": Node(target="busybox") for name in APPLETS}
    tree |= {
        "tmp": Node(mode=0o1777, folder=True),
        "etc/passwd": Node(data=b"root:x:0:0::/:/bin/sh\n"),
    }
    layer = ("busybox", pack_layer(tree))
    paths = []
    for name, command in ((BUSYBOX, ()), (PAUSE, ("/bin/sleep", "1000000"))):
        settings = Settings("", command, {"PATH": "/bin"}, {}, "/")
        path = folder / f"{name.rpartition('/')[2].replace(':', '-')}.tar"
        path.write_bytes(pack_image(name, [layer], settings))
        paths.append(path)
    return paths


def renamed(archive: Path, folder: Path, name: str) -> Path:
    """Write an archive's image under another name into FOLDER."""
    target = folder / "renamed.tar"
    with tarfile.open(archive) as old, tarfile.open(target, "w") as new:
        for member in old:
            stream = old.extractfile(member)
            data = stream.read() if stream else b""
            if member.name in ("index.json", "manifest.json"):
                text = data.decode()
                start = text.index("localhost/kontain/")
                data = text.replace(text[start : text.index('"', start)], name).encode()
            member.size = len(data)
            new.addfile(member, io.BytesIO(data))
    return target
