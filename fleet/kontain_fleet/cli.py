# SPDX-License-Identifier: Apache-2.0
"""The command `kontain fleet`; its manual is kontain-fleet(1)."""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List

from kontain_preflight.arguments import Parser
from kontain_preflight.engines import NAMES as ENGINES
from kontain_preflight.errors import FAILED, INTERRUPTED, WRONG_USAGE, HostError

from . import reading
from .play import VERBS, Play
from .progress import Progress
from .record import Record
from .report import Report

GOOD = 0
REPORT = "report"
COMPLETE, HALTED, STOPPED = "complete", "halted", "interrupted"


def main(argv: List[str]) -> int:
    """Run `kontain fleet` with the arguments after its name; return the exit status."""
    try:
        more = argv[argv.index("--") + 1 :] if "--" in argv else []
        own = argv[: argv.index("--")] if "--" in argv else argv
        options = parser().parse_args(own)
        require_sources(options)
        return read_files(options) if options.verb == REPORT else run(options, more)
    except HostError as error:
        complain(error)
        return error.status


def complain(error: HostError) -> None:
    """Print the two lines of an error."""
    print(f"kontain fleet: {error}", file=sys.stderr)


def parser() -> argparse.ArgumentParser:
    """Return what reads the command line."""
    made = Parser(
        "kontain fleet",
        description="Plan, apply, check and verify Kontain on the hosts of an Ansible inventory.",
        epilog="ansible-playbook gets the arguments after `--`. Manual: kontain-fleet(1).",
    )
    made.add_argument(
        "verb", choices=[*VERBS, REPORT], help="plan and check change nothing, report reads FILEs"
    )
    made.add_argument("files", nargs="*", metavar="FILE", help="with report: outcomes, or logs")
    made.add_argument("-i", "--inventory", default="", metavar="INVENTORY")
    made.add_argument("-l", "--limit", default="", metavar="PATTERN", help="only these hosts")
    made.add_argument("--bundle", default="", metavar="FILE", help="the release's bundle")
    made.add_argument("--key", default="", metavar="FILE", help="the public key that signed it")
    made.add_argument("--sha256", default="", metavar="SUM", help="the bundle's SHA-256")
    made.add_argument(
        "--unsigned", action="store_true", help="accept a bundle without a signature"
    )
    made.add_argument("--downgrade", action="store_true", help="accept an older release")
    made.add_argument("--engines", default="", metavar="LIST", help="some of " + ",".join(ENGINES))
    made.add_argument(
        "--waves", default="1,10%,100%", metavar="LIST", help="sizes of the waves of apply"
    )
    made.add_argument(
        "--ignore", action="append", default=[], metavar="ID", help="see kontain-check(1)"
    )
    made.add_argument(
        "--rollback-failed", action="store_true", help="apply: roll a host that fails back"
    )
    made.add_argument("--forks", type=int, default=20, metavar="N", help="hosts at a time")
    made.add_argument("--report", default="kontain-fleet", metavar="FOLDER", help="for the report")
    made.add_argument(
        "--resume", action="store_true", help="leave out hosts that are good already"
    )
    made.add_argument("--json", action="store_true", help="print the report as JSON")
    return made


def require_sources(options: argparse.Namespace) -> None:
    """See that the hosts come from an inventory, or for a report from files."""
    is_report = options.verb == REPORT
    if is_report == bool(options.files) and is_report != bool(options.inventory):
        return
    wanted = "files with outcomes and no inventory" if is_report else "--inventory and no files"
    why = f"{options.verb} wants {wanted}"
    raise HostError("wrong usage", why, "see `kontain fleet --help`", WRONG_USAGE)


def read_files(options: argparse.Namespace) -> int:
    """Write the report of the outcomes that files have, of whatever made them."""
    outcomes = reading.read(options.files)
    report = Report(
        verb=options.verb,
        started=now(),
        seconds=0.0,
        bundle="",
        ended=COMPLETE,
        hosts=sorted(outcomes),
        outcomes=outcomes,
    )
    folder = Path(options.report)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        report.write(folder)
    except OSError as problem:
        fix = "choose another folder with --report"
        raise HostError("cannot write the report", str(problem), fix) from problem
    return conclude(report, folder, as_json=options.json)


def now() -> str:
    """Return the time in UTC, as a report has it."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")


def run(options: argparse.Namespace, more: List[str]) -> int:
    """Do what the command line says."""
    variables = play_variables(options)
    inventory = options.inventory
    if os.path.exists(inventory):  # noqa: PTH110  "one,two," is none
        inventory = os.path.abspath(inventory)  # noqa: PTH100  a link stays one
    play = Play(options.verb, inventory, variables, options.forks, options.limit, more)
    try:
        hosts = play.hosts()
        folder = Path(options.report)
        folder.mkdir(parents=True, exist_ok=True)
        record = Record(
            folder / "results.jsonl", {"verb": options.verb, "inventory": inventory, **variables}
        )
        if options.resume:
            record.resume()
        record.begin()
        for outcome in list(record.outcomes.values()):
            record.add(outcome)
        report = carry_out(play, hosts, record)
        report.write(folder)
    except OSError as problem:
        fix = "choose another folder with --report"
        raise HostError("cannot write the report", str(problem), fix) from problem
    return conclude(report, folder, as_json=options.json)


def trust_variables(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the variables that tell hosts by what they may know the bundle."""
    variables: Dict[str, Any] = {}
    if options.key:
        if not Path(options.key).is_file():
            fix = "give the file release.pub that was published with the bundle"
            raise HostError("cannot use --key", f"there is no key {options.key}", fix, WRONG_USAGE)
        variables["kontain_key"] = str(Path(options.key).absolute())
    if options.sha256:
        variables["kontain_bundle_sha256"] = options.sha256
    for word in ("unsigned", "downgrade"):
        if getattr(options, word):
            variables[f"kontain_{word}"] = True
    return variables


def play_variables(options: argparse.Namespace) -> Dict[str, Any]:
    """Return the variables of the playbook that the options stand for."""
    variables: Dict[str, Any] = {}
    if options.bundle:
        if not Path(options.bundle).is_file():
            fix = "give a file kontain-VERSION-x86_64.tar.gz, or make one with `make bundle`"
            why = f"there is no bundle {options.bundle}"
            raise HostError("cannot use --bundle", why, fix, WRONG_USAGE)
        variables["kontain_bundle"] = str(Path(options.bundle).absolute())
    variables.update(trust_variables(options))
    if options.engines:
        variables["kontain_engines"] = options.engines.split(",")
        if set(variables["kontain_engines"]) - set(ENGINES):
            why = f"it is {options.engines!r}, wanted some of {','.join(ENGINES)}"
            raise HostError("cannot use --engines", why, "name the engines so", WRONG_USAGE)
    if options.ignore:
        variables["kontain_ignore"] = options.ignore
    if options.rollback_failed:
        if options.verb != "apply":
            why = f"it is for apply, and {options.verb} changes nothing"
            raise HostError("cannot use --rollback-failed", why, "leave it out", WRONG_USAGE)
        variables["kontain_rollback_failed"] = True
    waves = options.waves.split(",") if options.verb == "apply" else ["100%"]
    if not all(wave.rstrip("%").isdigit() and int(wave.rstrip("%")) for wave in waves):
        why = f"it is {options.waves!r}, wanted numbers of hosts, or percentages, such as 1,10%"
        raise HostError("cannot use --waves", why, "give such a list", WRONG_USAGE)
    variables["kontain_waves"] = [wave if "%" in wave else int(wave) for wave in waves]
    if options.verb != "apply":  # what only looks, looks at all
        variables["kontain_max_fail_percentage"] = 100
    return variables


def carry_out(play: Play, hosts: List[str], record: Record) -> Report:
    """Run the play on the hosts that are not done yet, and return what came of it."""
    started, began = now(), time.monotonic()
    rest = [host for host in hosts if host not in record.outcomes]
    progress = Progress(len(hosts), len(hosts) - len(rest))

    def on_host(outcome: Any) -> None:
        record.add(outcome)
        progress.add(outcome)

    ended = play.run(rest, progress.start_wave, on_host) if rest else COMPLETE
    progress.end()
    missing = [host for host in hosts if host not in record.outcomes]
    how = STOPPED if ended == "canceled" else HALTED if missing else COMPLETE
    return Report(
        verb=play.verb,
        started=started,
        seconds=round(time.monotonic() - began, 3),
        bundle=Path(play.variables.get("kontain_bundle", "")).name,
        ended=how,
        hosts=hosts,
        outcomes=record.outcomes,
    )


def conclude(report: Report, folder: Path, *, as_json: bool) -> int:
    """Print the end of it, and return the exit status."""
    if as_json:
        json.dump(report.as_dict(), sys.stdout, indent=1)
        print()
    else:
        counts = ", ".join(f"{count} {end}" for end, count in report.counts.items())
        hosts = "1 host" if len(report.hosts) == 1 else f"{len(report.hosts)} hosts"
        print(f"{hosts}: {counts}. The report is {folder}/report.html")
    if report.is_good:
        return GOOD
    again = "fix these hosts, then run the same command with --resume"
    if report.ended == STOPPED:
        complain(HostError("interrupted", "", "run the same command with --resume"))
        return INTERRUPTED
    if report.ended == HALTED:
        problem = "halted after a wave with failures; the hosts after it are as they were"
        complain(HostError(problem, "", again))
    return FAILED
