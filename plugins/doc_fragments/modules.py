# SPDX-License-Identifier: Apache-2.0
"""What the documentation of several modules has in common."""

from __future__ import annotations


class ModuleDocFragment:
    """Fragments, each by its name in capitals."""

    DOCUMENTATION = r"""
author:
  - Kontain platform contributors (@kontainapp)
attributes:
  check_mode:
    description: Whether check mode says what would be done, and changes nothing.
    support: full
  diff_mode:
    description: Whether diff mode shows what differs.
    support: full
"""

    PREFIX = r"""
options:
  prefix:
    description: The folder below which releases of Kontain stand.
    type: path
    default: /opt/kontain
"""

    IGNORE = r"""
options:
  ignore:
    description: The ids of checks that do not count, of C(kontain check --list).
    type: list
    elements: str
    default: []
"""
