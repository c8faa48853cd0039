# SPDX-License-Identifier: Apache-2.0
"""The strings of a TOML file by their full keys, as far as engines' configurations write them.

Python before 3.11 has no TOML, and a check needs one string of a file that its engine has parsed.
"""

from __future__ import annotations

import re
from typing import Dict, Tuple

Key = Tuple[str, ...]

_PART = re.compile(r"""[ \t]*(?:"([^"\n]*)"|'([^'\n]*)'|([A-Za-z0-9_-]+))[ \t]*(?:\.|$)""")
_TABLE = re.compile(r"^[ \t]*\[([^\[\]\n]+)\][ \t]*(?:#.*)?$")
_STRING = re.compile(r"""^([^=#\[]+)=[ \t]*(?:"([^"\\\n]*)"|'([^'\n]*)')[ \t]*(?:#.*)?$""")


def strings(text: str) -> Dict[Key, str]:
    """Return key → value of each string on a line of its own; a later one replaces an earlier."""
    table: Key = ()
    found: Dict[Key, str] = {}
    for line in text.splitlines():
        header, string = _TABLE.match(line), _STRING.match(line)
        if header:
            table = _parts(header[1])
        elif string:
            found[table + _parts(string[1])] = string[2] or string[3] or ""
    return found


def _parts(dotted: str) -> Key:
    return tuple(one or two or bare for one, two, bare in _PART.findall(dotted.strip()))
