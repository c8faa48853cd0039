# SPDX-License-Identifier: Apache-2.0
"""The commands `kontain check` and `kontain verify`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from typing import Callable, Sequence

from .arguments import Parser
from .checks import CHECKS, INSTALLED, PROOFS, run_checks, unknown_ids
from .errors import FAILED, FIX, WRONG_USAGE, HostError
from .host import Host
from .results import FAIL, GOOD, PASS, SKIP, WARN, Report

_DOCUMENTATION = "Documentation: https://github.com/kontainapp/platform/tree/main/docs"
_OWN_PREFIX = "(default: the one this belongs to)"


def main(argv: Sequence[str]) -> int:
    """Run `kontain check` with the arguments after its name, and return the exit status."""
    return _run(_check_parser(), argv, _check)


def verify_main(argv: Sequence[str]) -> int:
    """Run `kontain verify` with the arguments after its name, and return the exit status."""
    return _run(_verify_parser(), argv, _verify)


def _run(parser: Parser, argv: Sequence[str], work: Callable[[Namespace], int]) -> int:
    """Parse the arguments, do the work, and say what is wrong in two lines."""
    try:
        options, unknown = parser.parse_known_args(argv)
        if unknown:
            parser.error(f"there is no {unknown[0]!r} here")
        if options.help:
            parser.print_help()
            return GOOD
        return work(options)
    except HostError as error:
        sys.stdout.flush()
        print(f"{parser.prog}: {error}", file=sys.stderr)
        return error.status


def _check_parser() -> Parser:
    parser = _parser(
        "check",
        "Check whether this host can run Kontain, and say what to do when it cannot.",
        "0 good, 1 good with warnings, 2 wrong usage, 3 this host cannot run Kontain",
    )
    add = parser.add_argument
    add("--fix", action="store_true", help="first repair what is safe to repair (as root)")
    add(
        "--facts",
        action="store_true",
        help="with --json: also the distribution and the CPU in detail, which takes a second",
    )
    add(
        "--ignore",
        metavar="ID",
        action="append",
        default=[],
        help="leave the check ID out; may be repeated",
    )
    add("--km", metavar="FILE", help="probe with this km, installed or not")
    add(
        "--no-proof",
        action="store_true",
        help="do not run the payload by km, krun and the engines",
    )
    add("--prefix", metavar="DIR", help=f"look at the Kontain installed below DIR {_OWN_PREFIX}")
    add("--list", action="store_true", help="list the checks: ID and purpose")
    return parser


def _verify_parser() -> Parser:
    parser = _parser(
        "verify",
        "Verify the SHA-256 of every installed file and the runtime in each engine's configuration,\n"
        "and run a payload in a virtual machine: by km, by krun, and as a container through each engine.",
        "0 good, 1 a proof failed, 2 wrong usage",
    )
    parser.add_argument(
        "--prefix", metavar="DIR", help=f"verify the Kontain installed below DIR {_OWN_PREFIX}"
    )
    return parser


def _parser(verb: str, description: str, statuses: str) -> Parser:
    epilog = f"Exit status: {statuses}.\n{_DOCUMENTATION}"
    parser = Parser(f"kontain {verb}", description=description, epilog=epilog, add_help=False)
    parser.add_argument("-h", "--help", action="store_true", help="print this text")
    parser.add_argument("--json", action="store_true", help="print the report as one JSON object")
    return parser


def _check(options: Namespace) -> int:
    if options.list:
        for check in CHECKS + PROOFS:
            print(f"{check.id:18} {check.title}")
        return GOOD
    _judge(options, "check")
    checks = CHECKS if options.no_proof else CHECKS + PROOFS
    report = run_checks(Host(prefix=options.prefix, km=options.km), checks, options.ignore)
    if options.facts:
        from .deep_facts import collect  # noqa: PLC0415  # for those who ask

        report.facts.update(collect(Host()))
    _print(report, options, _verdict_of_check(report))
    if report.having(FAIL):
        raise HostError(
            "this host cannot run Kontain",
            f"failed: {', '.join(result.check for result in report.having(FAIL))}",
            f'do what the table says after "{FIX.strip(": ")}", and run this again',
            report.exit_status,
        )
    return report.exit_status


def _verify(options: Namespace) -> int:
    _judge(options, "verify")
    host = Host(prefix=options.prefix)
    if not host.release:
        raise HostError(
            "cannot verify",
            f"Kontain is not installed below {host.prefix}",
            "run `sudo ./install.sh`, or name its folder with --prefix",
        )
    report = run_checks(host, INSTALLED + PROOFS)
    _print(report, options, _verdict_of_verify(report))
    return FAILED if report.having(FAIL) else GOOD


def _judge(options: Namespace, verb: str) -> None:
    """Refuse values that cannot be meant; make paths whole."""
    wanted = vars(options)
    if wanted.get("fix"):
        raise _wrong("cannot repair this host", "that is for the command `kontain`", verb)
    for unknown in unknown_ids(wanted.get("ignore", [])):
        why = "no check has this id; `kontain check --list` has all"
        raise _wrong(f"cannot ignore {unknown!r}", why, verb)
    if options.prefix is not None:
        if not options.prefix.startswith("/") or not options.prefix.strip("/"):
            why = f"found {options.prefix!r}, wanted the absolute path of a folder below /"
            raise _wrong("cannot use the prefix", why, verb)
        options.prefix = options.prefix.rstrip("/")
    if wanted.get("km"):
        if not os.access(options.km, os.R_OK) or not os.path.isfile(options.km):  # noqa: PTH113  pathlib would cost 5 ms
            raise _wrong("cannot use --km", f"there is no program {options.km!r}", verb)
        options.km = os.path.abspath(options.km)  # noqa: PTH100  likewise


def _wrong(what: str, why: str, verb: str) -> HostError:
    return HostError(what, why, f"see `kontain {verb} --help`", WRONG_USAGE)


def _print(report: Report, options: Namespace, verdict: str) -> None:
    if options.json:
        import json  # noqa: PLC0415  # 10 ms that the table need not pay

        print(json.dumps(report.as_dict(), indent=2))
        return
    from .table import print_table  # noqa: PLC0415  # likewise

    print_table(report, verdict)


def _verdict_of_check(report: Report) -> str:
    failures, warnings = len(report.having(FAIL)), len(report.having(WARN))
    if failures:
        return f"This host cannot run Kontain: {_count(failures, 'check')} failed."
    if warnings:
        return f"This host can run Kontain, with {_count(warnings, 'warning')}."
    return "This host can run Kontain."


def _verdict_of_verify(report: Report) -> str:
    failures, skips = len(report.having(FAIL)), len(report.having(SKIP))
    done = len(report.results) - failures - skips
    if failures:
        return f"Of {_count(done + failures, 'check')}, {failures} failed."
    proofs = sum(result.check.startswith("proof-") for result in report.having(PASS))
    return f"{_count(proofs, 'proof')} of a program in a virtual machine; {skips} skipped."


def _count(number: int, what: str) -> str:
    return f"{number} {what}" if number == 1 else f"{number} {what}s"
