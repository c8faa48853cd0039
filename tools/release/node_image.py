# SPDX-License-Identifier: Apache-2.0
"""Make the image of Kubernetes nodes: `python3 -m tools.release.node_image VERSION [FOLDER]`.

It comes after `make bundle` and leaves in FOLDER, or build/node, the archive that engines load, its bill of
materials and its list of files. The image has Python and nsenter from the distribution's packages, no
shell, the program of deploy/node, and a bundle that brings a Python for nodes without one
(docs/decisions/0125). The same sources and packages make the same bytes.
"""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

from kontain_host.errors import HostError, complain
from kontain_runenv.apt import Package
from kontain_runenv.bill import Software
from kontain_runenv.build import Builder, write_image
from kontain_runenv.recipes import Recipe
from kontain_runenv.tree import Node, Tree, resolve

from .bundle import BUILD, ROOT, BundleError, is_source, make_bundle, pack, tree_members
from .bundle import Tree as Files
from .manpage import ManError
from .sbom import HOME, LICENCE

OUTPUT = BUILD / "node"
NAME = "kubernetes"
PROGRAM = "kontain/bin/kontain-node"
# What neither krun nor `kontain` needs of Python's library: networks, terminals, databases.
LEFT_OUT = (
    "ensurepip/", "idlelib/", "lib2to3/", "sqlite3/", "test/", "tkinter/", "unittest/", "wsgiref/",
)  # fmt: skip
MODULES_LEFT_OUT = (
    "_bz2.",
    "_crypt.",
    "_hashlib.",
    "_lzma.",
    "_sqlite3.",
    "_ssl.",
    "_uuid.",
)
LIBRARIES = ("ld-linux-x86-64.so", "libc.so", "libexpat.so", "libffi.so", "libm.so", "libz.so")


def recipe(version: str) -> Recipe:
    """Return what the image of this version is made of."""

    def add_kontain(tree: Tree, parent: Tree, _packages: list[Package]) -> Tree:
        return {**tree, **kontain(version, private_python({**parent, **tree}))}

    return Recipe(
        name=NAME,
        title="Makes nodes of Kubernetes Kontain nodes",
        shown="python3",
        parent="python3",
        packages=("util-linux",),
        keep=("usr/bin/nsenter",),
        steps=(add_kontain,),
        entrypoint=("/usr/bin/python3", "-IS", f"/{PROGRAM}"),
    )


def kontain(version: str, python: Files) -> Tree:
    """Return the program of deploy/node, and the bundle with a private PYTHON, as files of the image."""
    sources = [path for path in (ROOT / "deploy/node/kontain_node").rglob("*") if is_source(path)]
    files = {f"kontain/kontain_node/{path.name}": Node(data=path.read_bytes()) for path in sources}
    program = (ROOT / "deploy/node/bin/kontain-node").read_bytes()
    files[PROGRAM] = Node(mode=0o755, data=program)
    bundle = pack(tree_members(make_bundle(ROOT, version, [], more=python)))
    files[bundle_path(version)] = Node(data=bundle)
    return files


def bundle_path(version: str) -> str:
    """Return where the image has the bundle."""
    return f"kontain/kontain-{version}-x86_64.tar.gz"


def described(version: str, tree: Tree) -> Software:
    """Return Kontain as the bill of materials has it: the bundle in the image."""
    path = bundle_path(version)
    digest = hashlib.sha256(tree[path].data).hexdigest()
    return Software("kontain", version, LICENCE, HOME, f"/{path}", digest)


def private_python(tree: Tree) -> Files:
    """Return the files of `python/` in a release: that of the image TREE, with loader and libraries."""
    program = resolve(tree, "usr/bin/python3")[-1]
    library = f"usr/lib/{program.rpartition('/')[2]}/"
    files: Files = {"python/bin/python3": (tree[program].data, 0o755)}
    for path, node in tree.items():
        rest = path[len(library) :]
        if path.startswith(library) and not node.folder and not node.target and wanted(rest):
            files[f"python/{path[len('usr/') :]}"] = (node.data, 0o644)
        name = path.rpartition("/")[2]
        if path.startswith("usr/lib/x86_64-linux-gnu/") and name.startswith(LIBRARIES):
            files[f"python/lib/{name}"] = (tree[resolve(tree, path)[-1]].data, 0o755)
    return files


def wanted(rest: str) -> bool:
    """Tell whether a file of Python's library is for nodes, which compile nothing."""
    name = rest.rpartition("/")[2]
    return (
        not rest.startswith(LEFT_OUT)
        and not rest.endswith(".pyc")
        and not name.startswith(MODULES_LEFT_OUT)
    )


def main() -> int:
    """Make the image of the version that the command line names."""
    version, *folder = sys.argv[1:]
    try:
        image = Builder().build(recipe(version), version)
        software = [described(version, image.tree)]
        paths = write_image(image, Path(*folder) if folder else OUTPUT, software)
    except HostError as error:
        complain(error)
        return error.status
    except (BundleError, ManError, OSError) as problem:
        print(f"node_image.py: cannot make the image: {problem}.", file=sys.stderr)
        print("To fix: run `make bundle`, which builds what goes into it first.", file=sys.stderr)
        return 1
    for path in paths:
        print(path.relative_to(Path.cwd()) if path.is_relative_to(Path.cwd()) else path)
    return 0


if __name__ == "__main__":
    sys.exit(main())
