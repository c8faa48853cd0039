#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: make /dev/kvm be there, and usable by chosen users."""

from __future__ import annotations

DOCUMENTATION = r"""
module: kvm
short_description: Make /dev/kvm usable
version_added: 0.1.0
description:
  - Loads the module kvm_intel or kvm_amd, now and at boot, where /dev/kvm is missing.
  - Makes users members of the group kvm on request. The mode of /dev/kvm stays, but with O(policy=udev).
extends_documentation_fragment:
  - kontain.platform.modules
options:
  policy:
    description:
      - V(leave) lets groups be as they are.
      - V(group) makes O(users) members of the group kvm.
      - V(udev) also adds a rule of udev that gives the device to that group with mode 0660, unless
        everybody may open it.
    type: str
    choices: [leave, group, udev]
    default: leave
  users:
    description: Users that shall open /dev/kvm; not with O(policy=leave).
    type: list
    elements: str
    default: []
"""

EXAMPLES = r"""
- name: Have /dev/kvm, and let a user open it
  kontain.platform.kvm:
    policy: group
    users: [alice]
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
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host import kvm
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.host import (
    Host,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.transaction import (
    perform,
)
from ansible_collections.kontain.platform.plugins.module_utils.translate import run


def main() -> None:
    """Translate between Ansible and the library."""
    module = AnsibleModule(
        argument_spec={
            "policy": {"choices": ["leave", "group", "udev"], "default": "leave"},
            "users": {"type": "list", "elements": "str", "default": []},
        },
        supports_check_mode=True,
    )
    options = module.params
    host = Host()
    run(
        module,
        lambda: perform(
            host,
            "make KVM usable",
            lambda report: kvm.plan(host, options["policy"], options["users"], report),
            check=module.check_mode,
        ),
    )


if __name__ == "__main__":
    main()
