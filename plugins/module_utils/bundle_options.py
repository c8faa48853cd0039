# SPDX-License-Identifier: Apache-2.0
"""The options of the modules that read a bundle: whom the host believes about it."""

from __future__ import annotations

from typing import Any, Dict

from .kontain_host.trust import Trust

TRUST_OPTIONS: Dict[str, Dict[str, Any]] = {
    "key": {"type": "path", "no_log": False},
    "sha256": {"type": "str"},
    "unsigned": {"type": "bool", "default": False},
    "downgrade": {"type": "bool", "default": False},
    "key_text": {"type": "str", "no_log": False},
    "brought_key": {"type": "str", "no_log": False},
}
"""Their specification; a public key is no secret."""


def trust_of(options: Dict[str, Any]) -> Trust:
    """Return what the task says about its bundle."""
    return Trust(
        key=options["key_text"] or "",
        brought=options["brought_key"] or "",
        sha256=options["sha256"] or "",
        unsigned=options["unsigned"],
        downgrade=options["downgrade"],
    )
