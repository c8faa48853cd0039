# SPDX-License-Identifier: Apache-2.0
"""The verbs of the command `kontain`: each a translation to the library, and its answer."""

from __future__ import annotations

import json
import os
import re
import sys
from argparse import Namespace
from pathlib import Path
from typing import List, Optional

from kontain_host import engines, explain, plans, repair
from kontain_host import install as installing
from kontain_host import rollback as rolling
from kontain_host import support as supporting
from kontain_host import uninstall as uninstalling
from kontain_host.changes import Change
from kontain_host.errors import FAILED, WRONG_USAGE, HostError, named
from kontain_host.files import describe
from kontain_host.host import Host
from kontain_host.report import Report
from kontain_host.transaction import perform
from kontain_host.trust import Trust
from kontain_host.user_host import own_host

from .output import print_json, print_report, tell


def info(arguments: Namespace) -> int:
    """Show the version, the paths and the engines."""
    facts = explain.info(Host())
    if arguments.json:
        return print_json(facts)
    print(f"version        {facts['version'] or 'none is installed'}")
    print(f"before         {facts['before'] or 'none'}")
    for key in ("prefix", "configuration", "state"):
        print(f"{key:<14} {facts[key]}")
    for name, engine in facts["engines"].items():
        registered = "registered" if engine["registered"] else "not registered"
        print(f"{name:<14} {registered if engine['present'] else 'not on this host'}")
    print(f"documentation  {facts['documentation']}")
    return 0


def why(arguments: Namespace) -> int:
    """Say why a file is on this host."""
    path = str(Path(arguments.file).absolute())
    reasons = explain.why(Host(), path)
    if arguments.json:
        print_json({"path": path, "changes": reasons})
    elif not reasons:
        print(f"{path} is not Kontain's.")
    for reason in reasons if not arguments.json else []:
        state = (
            "as it was made" if reason["intact"] else "changed since by another user or program"
        )
        if reason["replaced"]:
            state = f"replaced since by Kontain: {reason['replaced']}"
        print(f"{reason['path']}: {reason['kind']} of the part {reason['owner']}")
        print(f"  why     {reason['reason']}")
        print(f"  when    {reason['time']}, {reason['transaction']}")
        print(f"  before  {describe(reason['before'])}")
        print(f"  now     {state}")
        for line in reason["difference"].splitlines():
            print(f"    {line}")
    return 0 if reasons else FAILED


def install(arguments: Namespace) -> int:
    """Install a bundle."""
    host = Host(tell=tell, trust=_trust(arguments))
    if not arguments.dry_run:
        host.require_root()  # before the bundle, which a user may not even be able to read
    chosen = _engines(arguments.engines)
    tell(f"read {arguments.bundle}")
    report = installing.install(
        host,
        Path(arguments.bundle),
        chosen,
        restart=arguments.restart,
        check=arguments.dry_run,
    )
    return print_report(report, as_json=arguments.json, dry_run=arguments.dry_run)


def plan(arguments: Namespace) -> int:
    """Write down what an installation would change."""
    made = plans.make(
        Host(trust=_trust(arguments)), Path(arguments.bundle), _engines(arguments.engines)
    )
    if arguments.output:
        with named(f"cannot write the plan {arguments.output}"):
            _write_new(arguments.output, json.dumps(made, indent=2) + "\n")
    if arguments.json:
        return print_json(made)
    for step in made["steps"]:
        print(f"{step['owner']:<8} {step['kind']:<16} {step['path']}: {step['reason']}")
    for warning in made["warnings"]:
        print(f"warning: {warning}", file=sys.stderr)
    print(f"{len(made['steps'])} steps to {made['version']}.")
    return 0


def _write_new(file: str, text: str) -> None:
    """Write a file, but not through a link, which another user may have put there."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    with open(os.open(file, flags, 0o644), "w", encoding="utf-8") as stream:  # noqa: PTH123  a descriptor
        stream.write(text)


def apply(arguments: Namespace) -> int:
    """Carry out a plan. The operator names the bundle's key here again: a plan is but a file."""
    host = Host(tell=tell, trust=_trust(arguments))
    host.require_root()
    report = plans.apply(host, plans.read(Path(arguments.plan)))
    return print_report(report, as_json=arguments.json)


def register(arguments: Namespace) -> int:
    """Make the runtime known to engines."""
    host = own_host(tell)
    if arguments.config and len(arguments.engine) > 1:
        reason = f"one file cannot be that of {' and '.join(arguments.engine)}"
        raise HostError("cannot use --config", reason, "register each by itself", WRONG_USAGE)
    if not host.path(f"{host.prefix}/bin/krun").exists():
        raise HostError(
            "cannot register the runtime",
            f"{host.prefix}/bin/krun is not there",
            "install Kontain first",
        )
    wish = engines.Registration(
        config=arguments.config,
        replace=arguments.replace,
        restart=arguments.restart,
        builds=arguments.builds,
    )

    def plan(report: Report) -> List[Change]:
        lists = [engines.plan(host, name, report, wish) for name in arguments.engine]
        return [change for changes in lists for change in changes]

    what = f"register in {', '.join(arguments.engine)}"
    report = perform(host, what, plan, check=arguments.dry_run)
    return print_report(report, as_json=arguments.json, dry_run=arguments.dry_run)


def unregister(arguments: Namespace) -> int:
    """Make engines forget the runtime."""
    host = own_host(tell)
    report = uninstalling.withdraw(
        host, *arguments.engine, force=arguments.force, check=arguments.dry_run
    )
    return print_report(report, as_json=arguments.json, dry_run=arguments.dry_run)


def rollback(arguments: Namespace) -> int:
    """Go back to the version before."""
    host = Host(tell=tell)
    if not arguments.dry_run:
        host.require_root()
    report = rolling.rollback(host, check=arguments.dry_run)
    return print_report(report, as_json=arguments.json, dry_run=arguments.dry_run)


def uninstall(arguments: Namespace) -> int:
    """Make the host what it was."""
    host = Host(tell=tell)
    if not arguments.dry_run:
        host.require_root()
        if not arguments.yes:
            _confirm()
    if arguments.after is not None:
        report = uninstalling.go_back(host, arguments.after, check=arguments.dry_run)
        return print_report(report, as_json=arguments.json, dry_run=arguments.dry_run)
    warnings = engines.users_who_registered(host)
    report = uninstalling.uninstall(host, force=arguments.force, check=arguments.dry_run)
    report.warnings += warnings
    return print_report(report, as_json=arguments.json, dry_run=arguments.dry_run)


def support(arguments: Namespace) -> int:
    """Collect what a report of a problem needs."""
    from kontain_preflight import deep_facts  # noqa: PLC0415  only this verb
    from kontain_preflight.checks import CHECKS, run_checks  # noqa: PLC0415

    tell("run the checks")
    host = Host()
    checks = run_checks(host, CHECKS).as_dict()
    tell("ask km, and the CPU")
    more = {
        "facts.json": json.dumps(deep_facts.collect(host), indent=2),
        "probe.txt": _probe(host),
    }
    file = Path(arguments.output or f"kontain-support-{supporting.stamp()}.tar.gz")
    with named(f"cannot write {file}"):
        names = supporting.write(host, file, checks, more)
    if arguments.json:
        return print_json({"file": str(file.absolute()), "holds": names})
    print(f"{file}: {', '.join(names)}")
    print("Passwords, tokens and keys were taken out; read it before you send it.")
    return 0


def _probe(host: Host) -> str:
    """Return all that km says of the CPU, of KVM, and of a run."""
    from kontain_preflight.probe import ask  # noqa: PLC0415

    if not host.km:
        return "there is no km: Kontain is not installed\n"
    try:
        probe = ask(host, host.km, "--verbose")
    except (OSError, TimeoutError) as error:
        return f"{host.km} does not run: {error}\n"
    return probe.trace if probe else f"{host.km} has no --probe\n"


def fix() -> None:
    """Make the repairs that are safe, and report them; the checks follow."""
    host = Host(tell=tell)
    host.require_root()
    for line in repair.fix(host):
        print(f"fixed: {line}", file=sys.stderr)


def _trust(arguments: Namespace) -> Trust:
    """Return what the operator says about the bundle."""
    key = ""
    if arguments.key:
        with named(f"cannot read the key {arguments.key}"):
            key = Path(arguments.key).read_text(errors="replace")
    if arguments.sha256 and not re.fullmatch("[0-9A-Fa-f]{64}", arguments.sha256):
        reason = f"it is {arguments.sha256[:80]!r}, wanted 64 hexadecimal digits"
        raise HostError("cannot use --sha256", reason, "give what sha256sum says", WRONG_USAGE)
    return Trust(
        key=key,
        sha256=arguments.sha256 or "",
        unsigned=arguments.unsigned,
        downgrade=arguments.downgrade,
    )


def _engines(text: Optional[str]) -> Optional[List[str]]:
    """Return the engines of a list with commas; None stands for those that are present."""
    if text is None:
        return None
    return [name for name in text.split(",") if name and name != "none"]


def _confirm() -> None:
    """Ask a person at the terminal; a script must say --yes."""
    if not sys.stdin.isatty():
        reason = "the standard input is not a terminal, so kontain cannot ask"
        raise HostError("cannot uninstall without consent", reason, "give --yes", WRONG_USAGE)
    print("Remove Kontain from this host? [y/N] ", end="", file=sys.stderr, flush=True)
    answer = sys.stdin.readline()
    if answer.strip().lower() not in ("y", "yes"):
        reason = f"the answer was {answer.strip()!r}, wanted y"
        raise HostError("nothing was uninstalled", reason, "answer y, or give --yes")
