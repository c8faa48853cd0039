# SPDX-License-Identifier: Apache-2.0
"""`python3 -m kontain_preflight [check|verify] [OPTION...]`: as kontain's, without an installation."""

from __future__ import annotations

import signal
import sys

from .cli import main, verify_main

if __name__ == "__main__":
    signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # as programs that print much do: `… | head`
    verb, *arguments = sys.argv[1:] or ["check"]
    if verb == "verify":
        sys.exit(verify_main(arguments))
    sys.exit(main(arguments if verb == "check" else sys.argv[1:]))
