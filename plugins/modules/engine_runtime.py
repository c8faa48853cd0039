#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: make Kontain's runtime known to a container engine, or unknown."""

from __future__ import annotations

DOCUMENTATION = r"""
module: engine_runtime
short_description: Register Kontain's runtime in a container engine
version_added: 0.1.0
description:
  - For podman it writes a drop-in file below /etc/containers/containers.conf.d.
  - A podman before 3.3 has it merged into /etc/containers/containers.conf.
  - For containerd 1.x it merges the handler into config.toml, or the import whose table counts;
    containerd 2.x and CRI-O get a drop-in file. containerd loads it when it starts, CRI-O 1.26 and newer by SIGHUP.
  - For docker it merges into daemon.json, keeping every other byte, lets a running dockerd reload
    by SIGHUP where it loses nothing by that, and waits until it knows the runtime. It restarts no
    engine, but containerd with O(restart=true).
  - The runtime has the name C(kontain), and also C(krun) unless the host has a program C(krun).
  - A docker that runs rootless is its user's to change, hence C(become_user).
  - Removal restores the configuration as it was; later edits by others stay.
extends_documentation_fragment:
  - kontain.platform.modules
options:
  engine:
    description: The engine.
    type: str
    choices: [containerd, crio, docker, podman]
    required: true
  state:
    description: Whether the engine shall know the runtime.
    type: str
    choices: [present, absent]
    default: present
  path:
    description: The runtime's program.
    type: path
    default: /opt/kontain/bin/krun
  replace:
    description: Whether another runtime of the name C(kontain) may be replaced.
    type: bool
    default: false
  config_file:
    description:
      - The configuration file of docker or containerd.
      - The default is that of the dockerd at the usual socket, or of the unit containerd, or else
        /etc/docker/daemon.json or /etc/containerd/config.toml.
    type: path
  restart:
    description:
      - Whether to restart containerd, which loads its configuration only at a start.
      - Containers keep running meanwhile.
    type: bool
    default: false
  builds:
    description:
      - Whether docker's BuildKit (25.0.5 and newer) runs the steps of builds by the runtime, too.
      - Its service gets a variable, which the next start of docker reads; nothing is restarted.
    type: bool
    default: false
  force:
    description: With O(state=absent), remove the runtime also while containers run by it.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Register the runtime in podman
  kontain.platform.engine_runtime:
    engine: podman

- name: Register the runtime in docker, in place of another of that name
  kontain.platform.engine_runtime:
    engine: docker
    replace: true

- name: Register the runtime in the rootless docker of a user
  kontain.platform.engine_runtime:
    engine: docker
  become: true
  become_user: alice

- name: Register the handler in the containerd of a Kubernetes node
  kontain.platform.engine_runtime:
    engine: containerd
    restart: true
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

from typing import Any, Dict

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host import (
    engines,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.report import (
    Report,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.transaction import (
    perform,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.uninstall import (
    withdraw,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.user_host import (
    own_host,
)
from ansible_collections.kontain.platform.plugins.module_utils.translate import run


def work(options: Dict[str, Any], *, check: bool) -> Report:
    """Bring the engine to the wanted state."""
    host, engine = own_host(), options["engine"]
    if options["state"] == "absent":
        return withdraw(host, engine, force=options["force"], check=check)
    registration = engines.Registration(
        path=options["path"],
        config=options["config_file"],
        replace=options["replace"],
        restart=options["restart"],
        builds=options["builds"],
    )
    return perform(
        host,
        f"register the runtime in {engine}",
        lambda report: engines.plan(host, engine, report, registration),
        check=check,
    )


def main() -> None:
    """Translate between Ansible and the library."""
    module = AnsibleModule(
        argument_spec={
            "engine": {"choices": engines.ENGINES, "required": True},
            "state": {"choices": ["present", "absent"], "default": "present"},
            "path": {"type": "path", "default": "/opt/kontain/bin/krun"},
            "replace": {"type": "bool", "default": False},
            "config_file": {"type": "path"},
            "restart": {"type": "bool", "default": False},
            "builds": {"type": "bool", "default": False},
            "force": {"type": "bool", "default": False},
        },
        supports_check_mode=True,
    )
    options = module.params
    run(module, lambda: work(options, check=module.check_mode))


if __name__ == "__main__":
    main()
