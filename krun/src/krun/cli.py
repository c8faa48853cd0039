# SPDX-License-Identifier: Apache-2.0
"""krun's command line: find the verb, and become the backend as soon as may be."""

from __future__ import annotations

from krun import options
from krun.errors import KrunError
from krun.report import report, say

HELP = """\
Usage: krun [OPTION...] VERB [OPTION...] [ID] [ARGUMENT...]

Run containers in virtual machines: an OCI runtime on top of crun or runc.

  create run                 make a container from a bundle, its process in a VM
  exec                       start one more process in a container, in a VM of its own
  trace gdb                  likewise, with a trace of its system calls, or under gdb
  start state kill delete pause resume update ps events list spec features
                             passed to the backend
  diff timing                show krun's changes for a container; the times of its create

  --policy FILE              the host's policy, by default /etc/kontain/krun.json
  --root DIR                 the state of containers, by default /run/krun
  --log FILE --log-format F  where errors go as well, as text or json
  --version --help

Every other option is the backend's. See krun(1): man -l {man}.

Documentation: https://github.com/kontainapp/platform/tree/main/docs
"""


def main(program: str, words: list[str]) -> int:
    """Do what WORDS ask of krun, whose own file is PROGRAM; return only if the backend is not."""
    given = options.Options()
    rest: list[str] = []
    try:
        given, rest = options.scan(
            words, options.GLOBAL_VALUES, options.GLOBAL_LETTERS, in_order=True
        )
        return _run(program, given, rest)
    except KrunError as reason:
        error = reason
    except UnicodeError as reason:
        error = KrunError(
            f"cannot {' '.join(rest[:1]) or 'start'}: a text is not Unicode: {reason}",
            "correct the container's configuration, which is JSON in UTF-8",
        )
    except (MemoryError, OSError, RecursionError, ValueError) as reason:
        error = KrunError(
            f"cannot {' '.join(rest[:1]) or 'start'}: {str(reason) or type(reason).__name__}",
            "look at the host: its memory, file systems and limits",
        )
    report(error, given.get("log"), given.get("log-format"))
    return error.status if rest[:1] in (["run"], ["exec"], ["gdb"], ["trace"]) else 1


def _run(program: str, given: options.Options, words: list[str]) -> int:
    if given.has("version"):
        return say(_version(program))
    if given.has("help") or words[:1] in ([], ["help"]):
        return say(HELP.format(man=_man(program)))
    verb, *words = words
    if verb not in options.VERBS:
        raise KrunError(
            f'unknown command "{verb}": krun has {", ".join(sorted(options.VERBS))}',
            "see `krun --help`",
        )
    from krun.call import Call  # noqa: PLC0415 - not needed for what came before

    call = Call(program, given, verb, words)
    if verb in ("create", "run") and not call.wants_help():
        from krun.create import create  # noqa: PLC0415 - only this verb pays for it

        create(call)
    if verb == "exec" and not call.wants_help():
        from krun.execute import execute  # noqa: PLC0415 - likewise

        execute(call)
    if verb in ("gdb", "trace"):
        from krun import watch  # noqa: PLC0415 - people ask, engines never

        return watch.watch(call) if not call.wants_help() else say(watch.USAGE.format(verb))
    if verb in ("diff", "timing"):
        from krun import show  # noqa: PLC0415 - people ask, engines never

        return show.show(call)
    from krun import passing  # noqa: PLC0415 - likewise

    return passing.run(call)


def _version(program: str) -> str:
    """Return what `--version` prints: three lines in the form of runc's."""
    from krun import release  # noqa: PLC0415 - people ask, engines seldom

    found = [path for path in map(release.find_program, ("crun", "runc")) if path]
    backends = ", ".join(found) or "none"
    return f"krun version {release.version(program)}\nspec: 1.0.2\nbackends: {backends}\n"


def _man(program: str) -> str:
    """Return where the manual page of this release is."""
    return program[: program.rindex("/bin/")] + "/share/man/man1/krun.1"
