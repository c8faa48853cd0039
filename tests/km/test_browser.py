# SPDX-License-Identifier: Apache-2.0
"""Debian's Chromium shows the same in VMs as on the host, alone and driven by Playwright.

The browser is not installed: a tree with it is made of the distribution's packages, and each run has
that tree as its root, in namespaces of its own.
"""

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from . import picture

FILES = Path(__file__).resolve().parent / "browser"
PATIENCE = float(os.environ.get("KM_TEST_PATIENCE", "1"))
BROWSER = "/usr/lib/chromium/chromium"
PACKAGES = "chromium,fonts-dejavu-core,libstdc++6"
NODE_LEAST = 20
DRIVER = "playwright-core@1.65.1"

CHANNEL_TOLERANCE = 8
"""Of 255: by so much a pixel of the VM's picture may differ from the native one."""
PIXELS_TOLERANCE = 0.001
"""This share of the pixels may differ by more, such as at the edges of letters."""

RED, BLUE, WHITE = (204, 0, 0), (0, 0, 204), (255, 255, 255)

ENTER = """
set -eu
root=$1 uid=$2
shift 2
mount --bind "$root" "$root"
cd "$root"
mount -t tmpfs -o mode=755 tmpfs dev
umask 0
mknod -m 666 dev/null c 1 3
mknod -m 666 dev/zero c 1 5
mknod -m 666 dev/urandom c 1 9
mknod -m 666 dev/kvm c 10 232
mkdir -m 1777 dev/shm
umask 22
mount -t tmpfs -o mode=1777 tmpfs tmp
mount --rbind /sys sys
pivot_root . mnt
mount -t proc proc /proc
umount -l /mnt
ip link set lo up 2>/dev/null || true
exec setpriv --reuid "$uid" --regid "$uid" --clear-groups \\
    env -i HOME=/tmp PATH=/usr/bin:/bin CHROME_WRAPPER=/usr/bin/chromium "$@"
"""
"""As root: make the tree ROOT the root of a namespace, and run a command there as user UID."""

pytestmark = [pytest.mark.needs_kvm, pytest.mark.needs_root, pytest.mark.slow]


def _codename() -> str:
    text = Path("/etc/os-release").read_text(encoding="utf-8")
    found = re.search(r"^VERSION_CODENAME=(\w+)", text, re.MULTILINE)
    return found[1] if found and "ID=debian" in text.splitlines() else ""


def _major_of(node: str) -> int:
    version = subprocess.check_output([node, "--version"], text=True)
    return int(version.lstrip("v").partition(".")[0])


class Tree:
    """A root with a browser, in which commands run."""

    def __init__(self, root: Path) -> None:
        """Keep where it is, and give it a folder that all users may write to."""
        self.root = root
        self.out = root / "out"
        self.out.mkdir()
        self.out.chmod(0o1777)

    def run(self, uid: int, *command: str) -> "subprocess.CompletedProcess[str]":
        """Run a command in the tree, as a user, in namespaces of mounts and processes."""
        words = [
            "unshare",
            "--mount",
            "--pid",
            "--fork",
            "--kill-child",
            "--propagation",
            "private",
        ]
        words += ["bash", "-c", ENTER, "enter", str(self.root), str(uid), *command]
        return subprocess.run(
            words, capture_output=True, text=True, timeout=480 * PATIENCE, check=False
        )

    def browse(self, monitor: "list[str]", uid: int, option: str, name: str) -> bytes:
        """Let the browser write a file of this name by an option, and return its content."""
        file = self.out / name
        fixed = [
            "--headless",
            "--disable-gpu",
            "--user-data-dir=/tmp/data",
            "--window-size=400,300",
            "--virtual-time-budget=5000",
        ]
        sandbox = [] if uid else ["--no-sandbox"]
        words = [*fixed, *sandbox, f"{option}=/out/{name}", "file:///out/page.html"]
        ran = self.run(uid, *monitor, BROWSER, *words)
        assert file.exists(), ran.stderr[-2000:]
        content = file.read_bytes()
        file.unlink()
        return content


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory, km: Path) -> Tree:
    """The tree, with km in it, readable by all users."""
    if not shutil.which("mmdebstrap") or not _codename():
        pytest.skip("no Chromium can be had: this takes Debian, and its package mmdebstrap")
    root = tmp_path_factory.mktemp("browser") / "root"
    made = subprocess.run(
        [
            "mmdebstrap",
            "--quiet",
            "--variant=apt",
            f"--include={PACKAGES}",
            _codename(),
            str(root),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    if made.returncode:
        pytest.skip(f"no Chromium can be had: {made.stderr.strip()[-300:]}")
    for folder in (root, *root.parents[:3]):
        folder.chmod(0o755)
    shutil.copy(km, root / "km")
    (root / "km").chmod(0o755)
    found = Tree(root)
    shutil.copy(FILES / "page.html", found.out)
    return found


MONITOR = ["/km", "--argv0", BROWSER]


@pytest.mark.usefixtures("kvm")
@pytest.mark.parametrize("uid", [0, 65534], ids=["root", "user"])
def test_a_screenshot_is_the_native_one(uid: int, tree: Tree) -> None:
    """The picture of a page with a canvas and WebAssembly has the same pixels, and is not blank.

    Root's browser has no sandbox of its own; a user's has one of namespaces and seccomp filters.
    """
    native = picture.decode(tree.browse([], uid, "--screenshot", "native.png"))
    found = picture.decode(tree.browse(MONITOR, uid, "--screenshot", "km.png"))
    assert [found.pixel(*at) for at in ((30, 30), (120, 120), (300, 30))] == [RED, BLUE, WHITE]
    different = picture.different_pixels(native, found, CHANNEL_TOLERANCE)
    assert different <= PIXELS_TOLERANCE * native.width * native.height
    text = {found.pixel(x, y) for x in range(200) for y in range(200, 250)}
    assert any(max(colours) < 64 for colours in text), "what WebAssembly says is not there"


@pytest.mark.usefixtures("kvm")
def test_a_pdf_is_the_native_one(tree: Tree) -> None:
    """A page that is printed gives the same document, but for the time in it."""
    native, found = (
        re.sub(rb"\(D:[^)]*\)", b"", tree.browse(monitor, 0, "--print-to-pdf", name))
        for monitor, name in (([], "native.pdf"), (MONITOR, "km.pdf"))
    )
    assert found.startswith(b"%PDF-")
    assert found == native


@pytest.mark.usefixtures("kvm")
def test_playwright_drives_it(tree: Tree) -> None:
    """Node.js and the browser, both in VMs: tabs, workers, WebAssembly, a download and a PDF."""
    node = shutil.which("node")
    if not node or not shutil.which("npm") or _major_of(node) < NODE_LEAST:
        pytest.skip(f"Playwright takes npm, and Node.js {NODE_LEAST}, which Debian 12 has not")
    got = subprocess.run(
        ["npm", "install", "--prefix", str(tree.out), "--ignore-scripts", "--no-audit", DRIVER],
        capture_output=True,
        text=True,
        check=False,
    )
    if got.returncode:
        pytest.skip(f"Playwright cannot be had: {got.stderr.strip()[-300:]}")
    shutil.copy(FILES / "drive.js", tree.out)
    shutil.copy(node, tree.root / "node")
    words = ["/node", "/out/drive.js", BROWSER, "/out"]
    native = tree.run(0, *words)
    assert native.returncode == 0, native.stderr[-2000:]
    pictures = [picture.decode((tree.out / f"tab{i}.png").read_bytes()) for i in range(4)]
    found = tree.run(0, MONITOR[0], *words)
    assert (found.returncode, found.stdout) == (0, native.stdout), found.stderr[-2000:]
    for i, wanted in enumerate(pictures):
        shown = picture.decode((tree.out / f"tab{i}.png").read_bytes())
        different = picture.different_pixels(wanted, shown, CHANNEL_TOLERANCE)
        assert different <= PIXELS_TOLERANCE * wanted.width * wanted.height
        assert shown.pixel(58, 58) == RED
