# SPDX-License-Identifier: Apache-2.0
"""The command `kontain`: it hands over to the part that a verb belongs to.

Each part loads its needs itself: `kontain check` is called often.
"""

from __future__ import annotations

import signal
from typing import List

from kontain_host.errors import INTERRUPTED, HostError, complain


def main(argv: List[str]) -> int:
    """Run the command with these arguments (without the program's name); return its status."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        return _run(argv)
    except HostError as error:
        complain(error)
        return error.status
    except KeyboardInterrupt:
        fix = "run the same command again; it takes back or continues what was begun"
        complain(HostError("interrupted", "a signal asked the program to stop", fix))
        return INTERRUPTED


def _run(argv: List[str]) -> int:
    verb, rest = argv[:1], argv[1:]
    if verb in (["check"], ["verify"]):
        return _preflight(verb[0], rest)
    if verb == ["image"]:
        from kontain_runenv import cli as image  # noqa: PLC0415  see above

        return int(image.main(rest))
    if verb == ["fleet"]:
        from kontain_fleet import launch  # noqa: PLC0415

        return int(launch.main(rest))
    from . import commands  # noqa: PLC0415

    return commands.run(argv)


def _preflight(verb: str, argv: List[str]) -> int:
    from kontain_preflight import cli  # noqa: PLC0415

    if verb == "verify":
        return int(cli.verify_main(argv))
    if "--fix" in argv:
        from . import verbs  # noqa: PLC0415

        verbs.fix()
        argv = [argument for argument in argv if argument != "--fix"]
    return int(cli.main(argv))
