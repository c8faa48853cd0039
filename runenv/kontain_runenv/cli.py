# SPDX-License-Identifier: Apache-2.0
"""The command `kontain image`: build payload-only images, and load them into engines."""

from __future__ import annotations

import argparse
import json
import os
import sys
import tempfile
from pathlib import Path

from kontain_host.errors import WRONG_USAGE, HostError, named
from kontain_preflight.arguments import Parser
from kontain_preflight.engines import ENGINES
from kontain_preflight.programs import Process

from .build import Builder, Image, describe, write_image
from .recipes import RECIPES, Recipe, package_recipe
from .snapshot import FOLDER, LANGUAGES, installed, make_snapshot

_ENGINES = {engine.name: engine.client for engine in ENGINES if engine.loads_images}
_EPILOG = "Documentation: kontain-image(1), https://github.com/kontainapp/platform/tree/main/docs"


def main(argv: list[str]) -> int:
    """Run `kontain image` with these arguments; return its status, or raise HostError."""
    arguments = _parser().parse_args(argv)
    if arguments.verb == "list":
        for recipe in RECIPES.values():
            print(f"{recipe.name:<14} {recipe.title}")
        return 0
    if arguments.verb == "snapshot":
        with named("cannot make a snapshot"):
            return _snapshot(arguments)
    with named("cannot build images"):
        return _build(arguments)


def _parser() -> argparse.ArgumentParser:
    parser = Parser(
        "kontain image",
        description="Build images that hold a payload and nothing else.",
        epilog=_EPILOG,
    )
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    verbs.add_parser("list", help="list the images", epilog=_EPILOG)
    build = verbs.add_parser(
        "build",
        help="build images from this distribution's packages",
        description="Build images from the packages of this host's distribution.",
        epilog=_EPILOG,
    )
    names = ", ".join(RECIPES)
    build.add_argument("images", metavar="IMAGE", nargs="*", help=f"{names}")
    build.add_argument("--all", action="store_true", help="build all of them")
    build.add_argument(
        "--package",
        metavar="NAME[=PROGRAM]",
        action="append",
        default=[],
        help="build an image of one program of one package",
    )
    build.add_argument(
        "--output", metavar="FOLDER", type=Path, help="write archive, SBOM and list of files there"
    )
    build.add_argument(
        "--load",
        metavar="ENGINE",
        action="append",
        choices=list(_ENGINES),
        help=" or ".join(_ENGINES),
    )
    build.add_argument("--refresh", action="store_true", help="fetch newer packages now")
    build.add_argument("--json", action="store_true", help="print one JSON object")
    _add_snapshot(verbs)
    return parser


def _add_snapshot(verbs: argparse._SubParsersAction[Parser]) -> None:
    snapshot = verbs.add_parser(
        "snapshot",
        help="make snapshots from which containers start, where krun.json allows it",
        description="Make a snapshot of a language's interpreter, from which containers start.",
        epilog=_EPILOG,
    )
    snapshot.add_argument("images", metavar="IMAGE", nargs="+", choices=list(LANGUAGES))
    snapshot.add_argument(
        "--import",
        dest="modules",
        metavar="MODULE",
        action="append",
        default=[],
        help="have it import MODULE before",
    )


def _snapshot(arguments: argparse.Namespace) -> int:
    release, builder = installed(), Builder()
    for name in arguments.images:
        done = make_snapshot(builder.build(RECIPES[name]), arguments.modules, release)
        print(f"{FOLDER / name}: {done}")
    return 0


def _build(arguments: argparse.Namespace) -> int:
    recipes = _chosen(arguments)
    builder = Builder(refresh=arguments.refresh)
    figures = []
    for recipe in recipes:
        image = builder.build(recipe)
        if arguments.output:
            write_image(image, arguments.output)
        for engine in arguments.load or ():
            _load(engine, image)
        figures.append(describe(image))
    if arguments.json:
        json.dump({"images": figures}, sys.stdout, indent=2)
        print()
    else:
        _print_table(figures)
    return 0


def _chosen(arguments: argparse.Namespace) -> list[Recipe]:
    names = list(RECIPES) if arguments.all else arguments.images
    unknown = [name for name in names if name not in RECIPES]
    packages = [package_recipe(words) for words in arguments.package]
    if unknown or not names + packages:
        why = f"there is no image {unknown[0]!r}" if unknown else "no image is named"
        fix = f"name one of {', '.join(RECIPES)}, or give --all or --package"
        raise HostError("wrong usage", why, fix, WRONG_USAGE)
    if arguments.output and arguments.output.exists() and not arguments.output.is_dir():
        why = f"{arguments.output} is a file, wanted a folder"
        raise HostError("wrong usage", why, "name a folder, which need not exist", WRONG_USAGE)
    if not arguments.output and not arguments.load:
        why = "neither --output nor --load says where the image shall go"
        fix = f"give `--load {next(iter(_ENGINES))}` or the like, or `--output FOLDER`"
        raise HostError("wrong usage", why, fix, WRONG_USAGE)
    return [*(RECIPES[name] for name in names), *packages]


def _load(engine: str, image: Image) -> None:
    with tempfile.TemporaryFile() as archive:
        archive.write(image.archive)
        archive.seek(0)
        command = [_ENGINES[engine], "load"]
        done = Process(command, stdin=archive.fileno(), environment=os.environ).finish()
    if done.status:
        fix = f"make `{engine} info` work for this user, then run this again"
        raise HostError(f"cannot load {image.reference} into {engine}", done.last_words, fix)


def _print_table(figures: list[dict[str, object]]) -> None:
    print(
        f"{'IMAGE':<38} {'VERSION':<26} {'PACKED':>8} {'UNPACKED':>9} {'FILES':>6} {'PACKAGES':>8}"
    )
    for one in figures:
        packed, unpacked = (f"{int(str(one[key])) / 1e6:.1f} MB" for key in ("packed", "unpacked"))
        print(
            f"{one['image']:<38} {one['version']:<26} {packed:>8} {unpacked:>9}"
            f" {one['files']:>6} {one['packages']:>8}"
        )
