# SPDX-License-Identifier: Apache-2.0
"""The command line of those verbs of `kontain` that kontain_host carries out."""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import Any, Callable, List

from kontain_host import explain
from kontain_host.engines import ENGINES
from kontain_host.errors import named
from kontain_preflight.arguments import Parser

from . import verbs
from .output import show_progress

_STATUSES = (
    "Exit status: 0 good, 1 failed, 2 wrong usage, 3 this host cannot run Kontain, 4 not root, "
    "5 the bundle cannot be trusted, 6 the host has drifted since the plan, 7 in use, 130 interrupted."
)
_EPILOG = f"{_STATUSES}\nDocumentation: {explain.DOCUMENTATION}"


def run(argv: List[str]) -> int:
    """Run the verb of these arguments; return its status."""
    arguments = parser().parse_args(argv)
    with named("cannot continue"), show_progress():
        status: int = arguments.run(arguments)
        sys.stdout.flush()
    return status


def parser() -> argparse.ArgumentParser:
    """Return the parser of all verbs; those of `check`, `verify`, `image` and `fleet` are their own."""
    parser = Parser(
        "kontain",
        description="Install, check, change and remove Kontain on a host.",
        epilog=_EPILOG,
    )
    parser.add_argument("--version", action="version", version=f"kontain {_own_version()}")
    group = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, text in (
        ("check", "check that this host can run Kontain"),
        ("verify", "prove that all is as installed, and runs in a VM"),
        ("image", "build images that hold a payload and nothing else"),
        ("fleet", "plan, apply, check and verify on many hosts, from a controller"),
    ):
        group.add_parser(verb, help=text, add_help=False)
    _add_questions(group)
    _add_install(group)
    _add_plan(group)
    _add_engines(group)
    _add_way_back(group)
    _add_support(group)
    return parser


def _add(group: Any, name: str, text: str, run: Callable[..., int]) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = group.add_parser(
        name,
        help=text,
        description=f"{text[0].upper()}{text[1:]}.",
        epilog=_EPILOG,
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    parser.set_defaults(run=run)
    return parser


def _add_dry_run(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--dry-run", action="store_true", help="show the changes, make none")


def _add_bundle(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("bundle", metavar="BUNDLE", help="a file kontain-VERSION-x86_64.tar.gz")
    parser.add_argument(
        "--engines",
        metavar="LIST",
        help=f"{','.join(ENGINES)}, some of them, or none (default: docker and podman if present)",
    )


def _add_trust(parser: argparse.ArgumentParser) -> None:
    """Add what the operator may say about the bundle; without, the installed release's key decides."""
    parser.add_argument(
        "--key", metavar="FILE", help="the public key (PEM) that signed the bundle"
    )
    parser.add_argument("--sha256", metavar="SUM", help="the SHA-256 of the bundle's file")
    parser.add_argument(
        "--unsigned", action="store_true", help="accept a bundle without a signature"
    )
    parser.add_argument("--downgrade", action="store_true", help="accept an older release")


def _add_questions(group: Any) -> None:
    _add(group, "info", "show the version, the paths and the engines", verbs.info)
    parser = _add(group, "why", "say why a file is on this host", verbs.why)
    parser.add_argument("file", metavar="FILE")


def _add_install(group: Any) -> None:
    text = "install a release's bundle on this host"
    parser = _add(group, "install", text, verbs.install)
    _add_bundle(parser)
    parser.add_argument(
        "--restart", action="store_true", help="also restart containerd where a restart is pending"
    )
    _add_trust(parser)
    _add_dry_run(parser)


def _add_plan(group: Any) -> None:
    text = "show the changes of an installation, for `apply`"
    parser = _add(group, "plan", text, verbs.plan)
    _add_bundle(parser)
    _add_trust(parser)
    parser.add_argument("-o", "--output", metavar="FILE", help="write the plan to FILE")
    text = "carry out a plan, unless the host has drifted since"
    parser = _add(group, "apply", text, verbs.apply)
    parser.add_argument("plan", metavar="PLAN", help="a file of `kontain plan -o`")
    _add_trust(parser)


def _add_engines(group: Any) -> None:
    text = "register the runtime with engines; for rootless Docker, run it as that user"
    parser = _add(group, "register", text, verbs.register)
    parser.add_argument("--config", metavar="FILE", help="the configuration of docker, containerd")
    parser.add_argument(
        "--replace", action="store_true", help="take the name from another runtime"
    )
    parser.add_argument("--restart", action="store_true", help="also restart containerd")
    parser.add_argument(
        "--builds", action="store_true", help="docker: also run the steps of builds in VMs"
    )
    text = "remove the runtime from engines"
    parser = _add(group, "unregister", text, verbs.unregister)
    parser.add_argument("--force", action="store_true", help="even while containers use it")
    for name in ("register", "unregister"):
        parser = group.choices[name]
        names = f"one or several of {', '.join(ENGINES)}"
        parser.add_argument("engine", metavar="ENGINE", nargs="+", choices=ENGINES, help=names)
        _add_dry_run(parser)


def _add_way_back(group: Any) -> None:
    text = "roll back to the previous release (run it again to undo)"
    _add_dry_run(_add(group, "rollback", text, verbs.rollback))
    text = "undo all changes of Kontain to this host"
    parser = _add(group, "uninstall", text, verbs.uninstall)
    parser.add_argument("--force", action="store_true", help="even while containers use it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument(
        "--after", type=int, metavar="N", help="undo only the changes after change N of `info`"
    )
    _add_dry_run(parser)


def _add_support(group: Any) -> None:
    text = "write an archive for a report of a fault, without secrets"
    parser = _add(group, "support", text, verbs.support)
    parser.add_argument("-o", "--output", metavar="FILE", help="the archive (.tar.gz) to write")


def _own_version() -> str:
    """Return the version of the release, or of the checkout, that this code belongs to."""
    here = Path(__file__).resolve()
    release, checkout = here.parents[3] / "VERSION", here.parents[2] / "galaxy.yml"
    if release.is_file():
        return release.read_text().strip()
    for line in checkout.read_text().splitlines() if checkout.is_file() else []:
        if line.startswith("version:"):
            return line.partition(":")[2].strip()
    return "unknown"
