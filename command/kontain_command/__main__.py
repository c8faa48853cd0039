# SPDX-License-Identifier: Apache-2.0
"""`python3 -m kontain_command` is the command `kontain`."""

import sys

from .cli import main

if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
