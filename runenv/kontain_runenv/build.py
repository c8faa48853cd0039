# SPDX-License-Identifier: Apache-2.0
"""Build an image: its parents' layers, its own, and what is said of them."""

from __future__ import annotations

import fcntl
import hashlib
import os
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from kontain_host.files import Meta, temporary_name, write_atomic
from kontain_preflight.facts import os_release
from kontain_preflight.host import Host

from .apt import Apt, Package
from .bill import Software, add_control, list_files, make_sbom, used_packages
from .contents import add_libraries, add_notices, choose, read_candidates
from .layer import Layer, pack_layer
from .oci import Settings, pack_image
from .recipes import RECIPES, Recipe
from .steps import USER
from .tree import Node, Tree, size

WORKING_FOLDER = "/app"
"""Where a container of an image starts."""

PREFIX = (
    "localhost/kontain"  # no registry answers for localhost, so nobody else can give these names
)


@dataclass(frozen=True)
class Image:
    """An image that was built; `tree` has the files of all its layers."""

    recipe: Recipe
    reference: str
    version: str
    archive: bytes
    tree: Tree
    packages: list[Package]
    environment: dict[str, str]

    @property
    def digest(self) -> str:
        """Return the archive's SHA-256, in hexadecimal."""
        return hashlib.sha256(self.archive).hexdigest()


@dataclass
class _Stack:
    """The images built so far, from the first parent on."""

    tree: Tree = field(default_factory=dict)
    packages: dict[str, Package] = field(default_factory=dict)
    layers: list[tuple[str, Layer]] = field(default_factory=list)
    environment: dict[str, str] = field(default_factory=dict)


class Builder:
    """Builds images from packages that it keeps in a cache, and each layer once."""

    def __init__(self, *, refresh: bool = False) -> None:
        """Get the lists of packages if they are older than a day, or if REFRESH says so."""
        folder = cache_folder()
        with _lock(folder):
            self._apt = Apt(folder)
            self._apt.update(refresh=refresh)
        self._folder = folder
        self._stacks: dict[str, _Stack] = {}

    def build(self, recipe: Recipe, version: str = "") -> Image:
        """Return the image of RECIPE; without a VERSION of its own it is the latest of its package."""
        with _lock(self._folder):
            stack = self._stack(recipe)
        reference = f"{PREFIX}/{recipe.name}:{version or 'latest'}"
        version = version or stack.packages[recipe.shown].version
        settings = Settings(
            user=f"{USER}:{USER}",
            entrypoint=recipe.entrypoint,
            environment=stack.environment,
            labels=_labels(recipe, version),
            folder=WORKING_FOLDER,
        )
        archive = pack_image(reference, stack.layers, settings)
        used = used_packages(stack.tree, [stack.packages[key] for key in sorted(stack.packages)])
        return Image(
            recipe, reference, version, archive, stack.tree, used, dict(stack.environment)
        )

    def _stack(self, recipe: Recipe) -> _Stack:
        if recipe.name not in self._stacks:
            parent = self._stack(RECIPES[recipe.parent]) if recipe.parent else _Stack()
            packages = self._apt.fetch(recipe.packages)
            own = make_tree(recipe, parent.tree, packages)
            own = add_control(own, parent.tree, packages)
            self._stacks[recipe.name] = _Stack(
                {**parent.tree, **own},
                {**parent.packages, **{one.name: one for one in packages}},
                [*parent.layers, (f"kontain image build {recipe.name}", pack_layer(own))],
                {**parent.environment, **recipe.environment},
            )
        return self._stacks[recipe.name]


def make_tree(recipe: Recipe, parent: Tree, packages: list[Package]) -> Tree:
    """Return the files that RECIPE puts on top of PARENT's."""
    candidates = read_candidates(packages, recipe.keep)
    tree = choose(candidates, parent, recipe.keep, recipe.drop)
    for step in recipe.steps:
        tree = step(tree, parent, packages)
    tree = add_libraries(tree, parent, candidates)
    tree = add_notices(tree, parent, candidates)
    return {**tree, **{path: Node(target=target) for path, target in recipe.links.items()}}


def write_image(image: Image, folder: Path, software: Sequence[Software] = ()) -> list[Path]:
    """Write the archive, its bill of materials and its list of files into FOLDER; return their paths.

    SOFTWARE is what the image has beside its packages.
    """
    sbom = make_sbom(image.recipe.name, image.digest, _distribution(), image.packages, software)
    files = {
        ".tar": image.archive,
        ".spdx.json": sbom.encode(),
        ".files": list_files(image.tree).encode(),
    }
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for suffix, data in files.items():
        path = folder / f"{image.recipe.name}{suffix}"
        write_atomic(path, data, Meta(0o644), temporary_name(path.name))
        paths.append(path)
    return paths


def describe(image: Image) -> dict[str, object]:
    """Return an image's figures; sizes are bytes, packed as in the archive and unpacked."""
    return {
        "image": image.reference,
        "version": image.version,
        "packed": len(image.archive),
        "unpacked": size(image.tree),
        "files": sum(1 for node in image.tree.values() if not node.folder),
        "packages": len(image.packages),
        "sha256": image.digest,
    }


def cache_folder() -> Path:
    """Return where packages are kept between builds."""
    base = os.environ.get("XDG_CACHE_HOME", "")
    folder = Path(base) if base.startswith("/") else Path.home() / ".cache"
    return folder / "kontain" / "packages"


def _labels(recipe: Recipe, version: str) -> dict[str, str]:
    title = "org.opencontainers.image."
    return {
        f"{title}title": f"kontain/{recipe.name}",
        f"{title}description": recipe.title,
        f"{title}version": version,
        f"{title}vendor": "Kontain",
        f"{title}source": "https://github.com/kontainapp/platform",
        f"{title}documentation": "https://github.com/kontainapp/platform/tree/main/docs",
    }


def _distribution() -> str:
    name = os_release(Host()).get("ID", "")
    return name if re.fullmatch("[a-z]+", name) else "debian"


@contextmanager
def _lock(folder: Path) -> Iterator[None]:
    """Keep other builds from FOLDER meanwhile; they wait."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with (folder / "lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
