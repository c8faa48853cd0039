# SPDX-License-Identifier: Apache-2.0
"""Between Ansible and the library kontain_host: a module's report and its failure."""

from __future__ import annotations

from typing import Callable

from ansible.module_utils.basic import AnsibleModule

# Whatever a module changes, the journal that it recovers may hold every kind of change.
from .kontain_host import engines, kvm, membership, tree  # noqa: F401
from .kontain_host.errors import HostError
from .kontain_host.report import Report


def run(module: AnsibleModule, work: Callable[[], Report]) -> None:
    """Do the work and end the module with its report, or with the two lines of its error."""
    try:
        report = work()
    except HostError as error:
        module.fail_json(msg=str(error))
    for warning in report.warnings:
        module.warn(warning)
    module.exit_json(
        changed=report.changed, changes=report.changes, left=report.left, diff=report.diff
    )
