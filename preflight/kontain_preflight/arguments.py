# SPDX-License-Identifier: Apache-2.0
"""The parser of every command line of Kontain's on a host: its errors have Kontain's two lines."""

from __future__ import annotations

import argparse
from typing import Any, NoReturn

from .errors import WRONG_USAGE, HostError


class Parser(argparse.ArgumentParser):
    """A parser that takes no abbreviations, and whose texts stand as they were written."""

    def __init__(self, prog: str, **options: Any) -> None:
        """Take the name of the command, and what argparse's parser takes."""
        form = argparse.RawDescriptionHelpFormatter
        super().__init__(prog, formatter_class=form, allow_abbrev=False, **options)

    def error(self, message: str) -> NoReturn:
        """Raise what is wrong with the command line."""
        why = message.rstrip(".")
        raise HostError("wrong usage", why, f"see `{self.prog} --help`", WRONG_USAGE)
