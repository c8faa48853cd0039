# SPDX-License-Identifier: Apache-2.0
"""The commands `kontain check` and `kontain verify`."""

from __future__ import annotations

import os
import sys
from typing import List, NamedTuple, Optional, Sequence

from .checks import CHECKS, INSTALLED, PROOFS, run_checks, unknown_ids
from .host import Host
from .results import FAIL, GOOD, PASS, SKIP, WARN, Report

WRONG_USAGE = 2
PROOF_FAILED = 1

CHECK_HELP = """\
Usage: kontain check [OPTION...]
Check whether this host can run Kontain, and say what to do when it cannot.

      --json         print the report as one JSON object
      --fix          first mend what is safe to mend (as root; `kontain` does it)
      --facts        with --json: also the distribution and the CPU in detail, which takes a second
      --ignore ID    do not count the check ID; may be repeated
      --km FILE      run the probe by this km, which need not be installed
      --no-proof     do not run the payload by km, krun and the engines
      --prefix DIR   look at the Kontain installed below DIR (default: the one this belongs to)
      --list         list the checks' ids and what they verify
  -h, --help         print this text

Exit status: 0 good, 1 good with warnings, 2 wrong usage, 3 this host cannot run Kontain.
Documentation: https://github.com/kontainapp/platform/tree/main/docs
"""

VERIFY_HELP = """\
Usage: kontain verify [OPTION...]
Verify the SHA-256 of every installed file and the runtime in each engine's configuration, and run
a payload in a virtual machine: by km, by krun, and as a container through each engine.

      --json         print the report as one JSON object
      --prefix DIR   verify the Kontain installed below DIR (default: the one this belongs to)
  -h, --help         print this text

Exit status: 0 good, 1 a proof failed, 2 wrong usage.
Documentation: https://github.com/kontainapp/platform/tree/main/docs
"""

_VERIFY_OPTIONS = ("--json", "--prefix=", "-h", "--help")
_CHECK_OPTIONS = (*_VERIFY_OPTIONS, "--facts", "--ignore=", "--km=", "--no-proof", "--list")


class _UsageError(Exception):
    """A command line that cannot be understood: what is wrong, and why."""


class _Options(NamedTuple):
    switches: List[str]
    ignore: List[str]
    prefix: Optional[str]
    km: Optional[str] = None

    @property
    def wants_help(self) -> bool:
        return "-h" in self.switches or "--help" in self.switches


def main(argv: Sequence[str]) -> int:
    """Run `kontain check` with the arguments after its name, and return the exit status."""
    try:
        options = _parse(argv, _CHECK_OPTIONS)
    except _UsageError as error:
        return _refuse("kontain check", error)
    if options.wants_help:
        print(CHECK_HELP, end="")
        return GOOD
    if "--list" in options.switches:
        for check in CHECKS + PROOFS:
            print(f"{check.id:18} {check.title}")
        return GOOD
    checks = CHECKS if "--no-proof" in options.switches else CHECKS + PROOFS
    report = run_checks(Host(prefix=options.prefix, km=options.km), checks, options.ignore)
    if "--facts" in options.switches:
        from .deep_facts import collect  # noqa: PLC0415  # for those who ask

        report.facts.update(collect(Host()))
    _print(report, options, _verdict_of_check(report))
    if report.having(FAIL):
        names = ", ".join(result.check for result in report.having(FAIL))
        _complain(
            "kontain check",
            f"this host cannot run Kontain: failed: {names}",
            'do what the table says after "To fix", and run this again',
        )
    return report.exit_status


def verify_main(argv: Sequence[str]) -> int:
    """Run `kontain verify` with the arguments after its name, and return the exit status."""
    try:
        options = _parse(argv, _VERIFY_OPTIONS)
    except _UsageError as error:
        return _refuse("kontain verify", error)
    if options.wants_help:
        print(VERIFY_HELP, end="")
        return GOOD
    host = Host(prefix=options.prefix)
    if not host.release:
        _complain(
            "kontain verify",
            f"cannot verify: Kontain is not installed below {host.prefix}",
            "run `sudo ./install.sh`, or name its folder with --prefix",
        )
        return PROOF_FAILED
    report = run_checks(host, INSTALLED + PROOFS)
    _print(report, options, _verdict_of_verify(report))
    return PROOF_FAILED if report.having(FAIL) else GOOD


def _parse(argv: Sequence[str], known: Sequence[str]) -> _Options:
    """Read the options; `known` are their names, with a `=` behind those that take a value.

    The standard library's parsers would cost 10 ms.
    """
    switches, values = [], []
    rest = list(argv)
    while rest:
        name, has_value, value = rest.pop(0).partition("=")
        if name in known and not has_value:
            switches.append(name)
        elif f"{name}=" in known and (has_value or rest):
            values.append((name, value if has_value else rest.pop(0)))
        elif f"{name}=" in known:
            raise _UsageError("cannot understand the options", f"{name} wants a value after it")
        else:
            raise _UsageError("cannot understand the options", f"there is no {name!r} here")
    ignore = [value for name, value in values if name == "--ignore"]
    prefixes = [value for name, value in values if name == "--prefix"]
    for unknown in unknown_ids(ignore):
        why = "no check has this id; `kontain check --list` has all"
        raise _UsageError(f"cannot ignore {unknown!r}", why)
    for prefix in prefixes:
        if not prefix.startswith("/") or not prefix.strip("/"):
            why = f"found {prefix!r}, wanted the absolute path of a folder below /"
            raise _UsageError("cannot use the prefix", why)
    monitors = [value for name, value in values if name == "--km"]
    for monitor in monitors:
        if not os.access(monitor, os.R_OK) or not os.path.isfile(monitor):  # noqa: PTH113  loaded in 5 ms
            raise _UsageError("cannot use --km", f"there is no program {monitor!r}")
    return _Options(
        switches,
        ignore,
        prefixes[-1].rstrip("/") if prefixes else None,
        os.path.abspath(monitors[-1])  # noqa: PTH100  likewise
        if monitors
        else None,
    )


def _refuse(program: str, error: _UsageError) -> int:
    what, why = error.args
    _complain(program, f"{what}: {why}", f"see `{program} --help`")
    return WRONG_USAGE


def _complain(program: str, what: str, fix: str) -> None:
    sys.stdout.flush()
    print(f"{program}: {what}.\nTo fix: {fix}.", file=sys.stderr)


def _print(report: Report, options: _Options, verdict: str) -> None:
    if "--json" in options.switches:
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
