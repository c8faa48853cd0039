#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: install a Kontain release below its prefix, or remove it."""

from __future__ import annotations

DOCUMENTATION = r"""
module: release
short_description: Install a Kontain release below its prefix
version_added: 0.1.0
description:
  - Verifies a bundle and unpacks it into its own versioned directory below the prefix, next to the
    versions that are there, then switches to it by one rename.
  - Links commands and man pages below /usr/local; a foreign file there stays, with a warning.
  - Everything is journalled below /var/lib/kontain, and is undone when a step fails.
extends_documentation_fragment:
  - kontain.platform.modules
  - kontain.platform.modules.prefix
  - kontain.platform.modules.trust
options:
  src:
    description:
      - Path of the bundle C(kontain-VERSION-x86_64.tar.gz) on the controller; it is brought to the
        host for as long as it takes.
      - Required with O(state=present).
    type: path
  state:
    description:
      - V(present) installs the bundle and makes it the version in use.
      - V(absent) undoes all changes of this module; it refuses while an engine knows the runtime.
    type: str
    choices: [present, absent]
    default: present
  force:
    description: With O(state=absent), remove the release also while programs run from it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Install a release
  kontain.platform.release:
    src: kontain-0.1.0-x86_64.tar.gz
    key: release.pub
"""

RETURN = r"""
changes:
  description: The changes made, or in check mode planned, in this order.
  returned: success
  type: list
  elements: dict
  sample:
    - kind: link
      owner: release
      path: /opt/kontain/current
      reason: the version in use
left:
  description: Changes not taken back because another user or program changed or uses them.
  returned: success
  type: list
  elements: dict
  sample:
    - path: /etc/kontain/krun.json
      why: another user or program changed it since
"""

from pathlib import Path
from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kontain.platform.plugins.module_utils.bundle_options import (
    TRUST_OPTIONS,
    trust_of,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host import (
    release,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.host import (
    Host,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.report import (
    Report,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.uninstall import (
    withdraw,
)
from ansible_collections.kontain.platform.plugins.module_utils.translate import run


def work(options: Dict[str, Any], *, check: bool) -> Report:
    """Bring the host's release to the wanted state."""
    host = Host(prefix=options["prefix"], trust=trust_of(options))
    if options["state"] == "absent":
        return withdraw(host, release.OWNER, force=options["force"], check=check)
    return release.install(host, Path(options["src"]), check=check)


def main() -> None:
    """Translate between Ansible and the library."""
    module = AnsibleModule(
        argument_spec={
            "src": {"type": "path"},
            "prefix": {"type": "path", "default": "/opt/kontain"},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "force": {"type": "bool", "default": False},
            **TRUST_OPTIONS,
        },
        required_if=[("state", "present", ["src"])],
        supports_check_mode=True,
    )
    options = module.params
    run(module, lambda: work(options, check=module.check_mode))


if __name__ == "__main__":
    main()
