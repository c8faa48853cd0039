# SPDX-License-Identifier: Apache-2.0
"""`python3 -m kontain_preflight`: what `kontain check` does, without an installation."""

from __future__ import annotations

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
