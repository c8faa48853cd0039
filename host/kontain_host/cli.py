# SPDX-License-Identifier: Apache-2.0
"""The command `kontain`: the verbs of an operator, each a translation to the library."""

from __future__ import annotations

import argparse
import json
import signal
import sys
from pathlib import Path
from typing import Any, List, NoReturn, Optional

from . import explain
from .errors import FAILED, INTERRUPTED, WRONG_USAGE, HostError, named
from .files import describe
from .host import Host
from .install import install
from .report import Report
from .uninstall import uninstall

_EPILOG = f"Documentation: {explain.DOCUMENTATION}"


class _Parser(argparse.ArgumentParser):
    """A parser whose errors have Kontain's two lines."""

    def error(self, message: str) -> NoReturn:
        """Say what is wrong with the command line, and end."""
        why = message.rstrip(".")
        text = HostError("wrong usage", why, f"see `{self.prog} --help`", WRONG_USAGE)
        _complain(text)
        raise SystemExit(WRONG_USAGE)


def main(argv: List[str]) -> int:
    """Run the command with these arguments (without the program's name); return its status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        if argv[:1] in (["check"], ["verify"]):
            return _preflight(argv[0], argv[1:])
        if argv[:1] == ["image"]:
            return _image(argv[1:])
        if argv[:1] == ["fleet"]:
            return _fleet(argv[1:])
        arguments = _parser().parse_args(argv)
        with named("cannot go on"):
            status: int = arguments.run(arguments)
            sys.stdout.flush()
    except HostError as error:
        _complain(error)
        return error.status
    except KeyboardInterrupt:
        fix = "run the same command again; it takes back or continues what was begun"
        _complain(HostError("interrupted", "a signal asked the program to stop", fix))
        return INTERRUPTED
    return status


def _preflight(verb: str, argv: List[str]) -> int:
    from kontain_preflight import cli  # noqa: PLC0415  the other verbs do without it

    status: int = (cli.main if verb == "check" else cli.verify_main)(argv)
    return status


def _image(argv: List[str]) -> int:
    from kontain_runenv import cli  # noqa: PLC0415  the other verbs do without it

    status: int = cli.main(argv)
    return status


def _fleet(argv: List[str]) -> int:
    from kontain_fleet import launch  # noqa: PLC0415  the other verbs do without it

    status: int = launch.main(argv)
    return status


def _parser() -> argparse.ArgumentParser:
    parser = _Parser(
        prog="kontain",
        description="Look after a Kontain host.",
        epilog=_EPILOG,
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"kontain {_own_version()}")
    verbs = parser.add_subparsers(dest="verb", metavar="VERB", required=True)
    for verb, text in (
        ("check", "check that this host can run Kontain"),
        ("verify", "prove that programs and containers run in a VM"),
        ("image", "build images that hold a payload and nothing else"),
        ("fleet", "plan, apply, check and verify on many hosts, from a controller"),
    ):
        verbs.add_parser(verb, help=text, add_help=False)
    _add_info(verbs)
    _add_install(verbs)
    _add_uninstall(verbs)
    _add_why(verbs)
    return parser


def _add(verbs: Any, name: str, text: str) -> argparse.ArgumentParser:
    parser: argparse.ArgumentParser = verbs.add_parser(
        name, help=text, description=f"{text[0].upper()}{text[1:]}.", epilog=_EPILOG
    )
    parser.add_argument("--json", action="store_true", help="print one JSON object")
    return parser


def _add_info(verbs: Any) -> None:
    parser = _add(verbs, "info", "show the version, the paths and the engines")
    parser.set_defaults(run=_info)


def _add_install(verbs: Any) -> None:
    parser = _add(verbs, "install", "make this host a Kontain host from a release's bundle")
    parser.add_argument("bundle", metavar="BUNDLE", help="a file kontain-VERSION-x86_64.tar.gz")
    parser.add_argument(
        "--engines", metavar="LIST", help="docker,podman or none (default: those present)"
    )
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.set_defaults(run=_install)


def _add_uninstall(verbs: Any) -> None:
    parser = _add(verbs, "uninstall", "make this host what it was before Kontain")
    parser.add_argument("--force", action="store_true", help="also while containers run by it")
    parser.add_argument("--yes", action="store_true", help="do not ask")
    parser.add_argument("--dry-run", action="store_true", help="only say what would change")
    parser.set_defaults(run=_uninstall)


def _add_why(verbs: Any) -> None:
    parser = _add(verbs, "why", "say why a file is on this host")
    parser.add_argument("file", metavar="FILE")
    parser.set_defaults(run=_why)


def _info(arguments: argparse.Namespace) -> int:
    facts = explain.info(Host())
    if arguments.json:
        return _print_json(facts)
    print(f"version        {facts['version'] or 'none is installed'}")
    for key in ("prefix", "configuration", "state"):
        print(f"{key:<14} {facts[key]}")
    for name, engine in facts["engines"].items():
        registered = "registered" if engine["registered"] else "not registered"
        print(f"{name:<14} {registered if engine['present'] else 'not on this host'}")
    print(f"documentation  {facts['documentation']}")
    return 0


def _install(arguments: argparse.Namespace) -> int:
    engines: Optional[List[str]] = None
    if arguments.engines is not None:
        engines = [name for name in arguments.engines.split(",") if name and name != "none"]
    host = Host()
    if not arguments.dry_run:
        host.require_root()  # before the bundle, which a user may not even be able to read
    report = install(host, Path(arguments.bundle), engines, check=arguments.dry_run)
    return _print_report(report, arguments)


def _uninstall(arguments: argparse.Namespace) -> int:
    host = Host()
    if not arguments.dry_run:
        host.require_root()
        if not arguments.yes:
            _confirm()
    report = uninstall(host, force=arguments.force, check=arguments.dry_run)
    return _print_report(report, arguments)


def _confirm() -> None:
    """Ask a person at the terminal; a script must say --yes."""
    if not sys.stdin.isatty():
        why = "the standard input is no terminal, so nobody can be asked"
        raise HostError("cannot uninstall without consent", why, "give --yes", WRONG_USAGE)
    print("Remove Kontain from this host? [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        why = f"the answer was {answer.strip()!r}, wanted y"
        raise HostError("nothing was uninstalled", why, "answer y, or give --yes")


def _why(arguments: argparse.Namespace) -> int:
    path = str(Path(arguments.file).absolute())
    reasons = explain.why(Host(), path)
    if arguments.json:
        _print_json({"path": path, "changes": reasons})
    elif not reasons:
        print(f"{path} is not Kontain's.")
    for reason in reasons if not arguments.json else []:
        state = "as it was made" if reason["intact"] else "changed since by somebody else"
        print(f"{reason['path']}: {reason['kind']} of the part {reason['owner']}")
        print(f"  why     {reason['reason']}")
        print(f"  when    {reason['time']}, {reason['transaction']}")
        print(f"  before  {describe(reason['before'])}")
        print(f"  now     {state}")
    return 0 if reasons else FAILED


def _print_report(report: Report, arguments: argparse.Namespace) -> int:
    if arguments.json:
        return _print_json({"dry_run": arguments.dry_run, **report.as_dict()})
    for change in report.changes:
        print(f"{change['owner']:<8} {change['kind']:<16} {change['path']}: {change['reason']}")
    for left in report.left:
        print(f"left     {left['path']}: {left['why']}")
    for warning in report.warnings:
        print(f"warning: {warning}", file=sys.stderr)
    done = "would change" if arguments.dry_run else "changed"
    count = len(report.changes)
    print(
        f"{count} {'thing' if count == 1 else 'things'} {done}." if count else "Nothing to change."
    )
    return 0


def _print_json(value: Any) -> int:
    json.dump(value, sys.stdout, indent=2)
    print()
    return 0


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


def _complain(error: HostError) -> None:
    print(f"kontain: {error}", file=sys.stderr)
