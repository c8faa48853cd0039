# SPDX-License-Identifier: Apache-2.0
"""Steps on an image's chosen files: accounts, certificates, bytecode, a JRE.

Each step takes the image's own files, its parent's files and the packages, and returns the files.
"""

from __future__ import annotations

import os
import tempfile
from pathlib import Path

from kontain_host.errors import HostError
from kontain_preflight.programs import Process

from .apt import Package, unpack
from .keystore import BUNDLE, make_keystore
from .tree import Node, Tree, matches, read_folder, with_package, write_folder

USER = 65532  # who a payload runs as: neither root nor, by custom, any user of a host
_HOME = "/home/nonroot"

_PASSWD = f"""root:x:0:0:root:/root:/nonexistent
nobody:x:65534:65534:nobody:/nonexistent:/nonexistent
nonroot:x:{USER}:{USER}:nonroot:{_HOME}:/nonexistent
"""
_GROUP = f"root:x:0:\nnobody:x:65534:\nnonroot:x:{USER}:\n"
_NSSWITCH = "passwd: files\ngroup: files\nshadow: files\nhosts: files dns\n"

# All of Java SE, and of the JDK what servers use beyond it.
_MODULES = (
    "java.se",
    "jdk.charsets",
    "jdk.crypto.cryptoki",
    "jdk.crypto.ec",
    "jdk.httpserver",
    "jdk.jfr",
    "jdk.management",
    "jdk.management.agent",
    "jdk.naming.dns",
    "jdk.net",
    "jdk.nio.mapmode",
    "jdk.security.auth",
    "jdk.security.jgss",
    "jdk.unsupported",
    "jdk.zipfs",
)
_JAVA = "usr/lib/jvm/java-17"
_NOT_IN_A_JRE = (
    f"{_JAVA}/bin/*",
    f"{_JAVA}/include/*",
    f"{_JAVA}/lib/jexec",  # for a kernel that runs archives as programs
    f"{_JAVA}/legal/*",  # the package's copyright notice has it
    f"{_JAVA}/man/*",
    f"{_JAVA}/lib/security/cacerts",
)


def make_accounts(tree: Tree, _parent: Tree, _packages: list[Package]) -> Tree:
    """Return TREE with a merged /usr, accounts, and the folders that programs expect."""
    files = {"etc/passwd": _PASSWD, "etc/group": _GROUP, "etc/nsswitch.conf": _NSSWITCH}
    folders = {"app": 0o755, "run": 0o755, "tmp": 0o1777, "var/tmp": 0o1777}
    links = {name: Node(target=f"usr/{name}") for name in ("bin", "lib", "lib64", "sbin")}
    return {
        **tree,
        **links,
        **{path: Node(data=text.encode()) for path, text in files.items()},
        **{path: Node(mode=mode, folder=True) for path, mode in folders.items()},
        **{f"usr/{name}": Node(mode=0o755, folder=True) for name in links},
        _HOME.lstrip("/"): Node(mode=0o700, owner=USER, folder=True),
    }


def bundle_certificates(tree: Tree, _parent: Tree, _packages: list[Package]) -> Tree:
    """Return TREE with one file of all certificates in place of a file for each."""
    sources = sorted(path for path in tree if path.startswith("usr/share/ca-certificates/"))
    bundle = b"".join(tree[path].data.rstrip(b"\n") + b"\n" for path in sources)
    rest = {path: node for path, node in tree.items() if path not in sources}
    return {**rest, BUNDLE: Node(data=bundle, package="ca-certificates")}


def compile_python(tree: Tree, parent: Tree, _packages: list[Package]) -> Tree:
    """Return TREE with the bytecode of its modules, which a container could not keep.

    It is made by the image's own Python, and its validity does not depend on a file's time.
    """
    python = max(path for path in tree if path.startswith("usr/bin/python3."))
    library = f"usr/lib/{python.rpartition('/')[2]}"
    with tempfile.TemporaryDirectory(prefix="kontain-") as scratch:
        root = Path(scratch)
        write_folder({**parent, **tree}, root)
        libraries = root / "usr/lib/x86_64-linux-gnu"
        loader = [str(libraries / "ld-linux-x86-64.so.2"), "--library-path", str(libraries)]
        compiler = ["-S", "-m", "compileall", "-q", "-s", scratch, "-p", "/"]
        check = ["--invalidation-mode", "unchecked-hash", str(root / library)]
        # The seed decides the order of sets in bytecode; the home keeps it from the host's library.
        settings = {"PYTHONHOME": str(root / "usr"), "PYTHONHASHSEED": "0"}
        settings["PYTHONDONTWRITEBYTECODE"] = "1"  # what it imports, it would write with a time
        _run([*loader, str(root / python), *compiler, *check], root, settings)
        made = read_folder(root / library, library, tree[python].package)
    compiled = {path: node for path, node in made.items() if path.endswith(".pyc")}
    return {**tree, **compiled}


def link_java(tree: Tree, parent: Tree, packages: list[Package]) -> Tree:
    """Return TREE with a runtime that the distribution's jlink makes of its own modules."""
    jdk = [package for package in packages if package.name.startswith("openjdk-17-")]
    with tempfile.TemporaryDirectory(prefix="kontain-") as scratch:
        root = Path(scratch)
        for package in jdk:
            unpack(package, root)
        home = next((root / "usr/lib/jvm").glob("java-17-openjdk-*"))
        _contain_links(root)
        options = ["--compress=2", "--strip-java-debug-attributes", "--no-header-files"]
        modules = ["--module-path", str(home / "jmods"), "--add-modules", ",".join(_MODULES)]
        output = ["--no-man-pages", "--output", str(root / "jre")]
        _run([str(home / "bin/jlink"), *options, *modules, *output], root, {})
        for library in (root / "jre/lib").rglob("*.so"):
            if not (home / library.relative_to(root / "jre")).exists():
                library.unlink()  # for screens: the headless package leaves it out, too
        made = read_folder(root / "jre", _JAVA, "openjdk-17-jre-headless")
    program = f"{_JAVA}/bin/java"
    runtime = {path: made[path] for path in made if not matches(path, _NOT_IN_A_JRE)}
    certificates = make_keystore(parent[BUNDLE].data.decode())
    keystore = {f"{_JAVA}/lib/security/cacerts": Node(data=certificates)}
    return {**tree, **runtime, program: made[program], **with_package(keystore, "ca-certificates")}


def _contain_links(root: Path) -> None:
    """Make absolute links below ROOT lead into ROOT, not into this host's files."""
    for path in [path for path in root.rglob("*") if path.is_symlink()]:
        target = path.readlink()
        if target.is_absolute():
            path.unlink()
            path.symlink_to(root / target.relative_to("/"))


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> None:
    """Run a program of the image's packages in FOLDER, with nothing of this host's environment."""
    settings = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **environment}
    done = Process(command, environment=settings, folder=str(folder)).finish()
    if done.status:
        why = f"{Path(command[0]).name} ended with status {done.status}: {done.last_words}"
        fix = "build on a host that runs the packages' programs, with 1 GiB of free space for them"
        raise HostError("cannot complete the image", why, fix)
