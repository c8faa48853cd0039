# SPDX-License-Identifier: Apache-2.0
"""Documentation that several modules share."""

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

    TRUST = r"""
options:
  key:
    description:
      - Path on the controller of the public key (PEM) that signed the bundle.
      - Without, a host believes the key of the release that it has, and where it has none, the key that
        the collection was published with.
    type: path
  sha256:
    description:
      - The SHA-256 of the bundle's file, from where it was built or judged; it takes the signature's place.
      - A bundle that was built in the collection's own folder C(build) needs none.
    type: str
  unsigned:
    description: Whether a bundle is taken that nobody signed.
    type: bool
    default: false
  downgrade:
    description: Whether a release is taken that is older than the one that is installed.
    type: bool
    default: false
  key_text:
    description: The text of O(key); set by the controller's half of this module.
    type: str
  brought_key:
    description: The text of the collection's key; set by the controller's half of this module.
    type: str
"""

    IGNORE = r"""
options:
  ignore:
    description: The ids of checks that do not count, of C(kontain check --list).
    type: list
    elements: str
    default: []
"""
