#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: make a host what it was before Kontain."""

from __future__ import annotations

DOCUMENTATION = r"""
module: uninstall
short_description: Restore a host to its state before Kontain
version_added: 0.1.0
description:
  - Takes back every change that the journal below /var/lib/kontain names, newest first.
  - Leaves files that another user or program changed since, and names them in RV(left).
  - Refuses while containers or payloads run by Kontain, and names them.
extends_documentation_fragment:
  - kontain.platform.modules
  - kontain.platform.modules.prefix
attributes:
  diff_mode:
    support: none
options:
  force:
    description: Whether to continue while containers or payloads run.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Remove Kontain
  kontain.platform.uninstall:
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

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.host import (
    Host,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.uninstall import (
    uninstall,
)
from ansible_collections.kontain.platform.plugins.module_utils.translate import run


def main() -> None:
    """Translate between Ansible and the library."""
    module = AnsibleModule(
        argument_spec={
            "prefix": {"type": "path", "default": "/opt/kontain"},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    host = Host(prefix=options["prefix"])
    run(module, lambda: uninstall(host, force=options["force"], check=module.check_mode))


if __name__ == "__main__":
    main()
