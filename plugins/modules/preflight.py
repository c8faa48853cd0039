#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: run the checks of kontain_preflight on the managed host."""

from __future__ import annotations

DOCUMENTATION = r"""
module: preflight
short_description: Check that a host can run Kontain
version_added: 0.1.0
description:
  - Runs the checks of the command C(kontain check) on the managed host.
  - KVM is judged by use. A small guest runs; CPU flags and kernel modules only explain.
  - Changes nothing, in check mode and without. A proof makes containers and removes them.
extends_documentation_fragment:
  - kontain.platform.modules
  - kontain.platform.modules.prefix
  - kontain.platform.modules.ignore
attributes:
  diff_mode:
    support: none
options:
  fail:
    description: Whether a failed check fails the task.
    type: bool
    default: true
  proof:
    description:
      - Whether the payload is run in a virtual machine too, by km, by krun and by each engine.
      - A proof is skipped where Kontain or the engine is not installed.
    type: bool
    default: false
"""

EXAMPLES = r"""
- name: Refuse a host that cannot run Kontain
  kontain.platform.preflight:

- name: Report a host's shortcomings, and continue
  kontain.platform.preflight:
    ignore: [var-space]
    fail: false
  register: preflight

- name: Prove that containers run in virtual machines
  kontain.platform.preflight:
    proof: true
"""

RETURN = r"""
schema:
  description: The version of the returned form.
  returned: always
  type: int
  sample: 1
verdict:
  description: One of V(good), V(warnings) and V(refused).
  returned: always
  type: str
  sample: good
exit_status:
  description: The exit status of C(kontain check), 0 good, 1 good with warnings, 3 refused.
  returned: always
  type: int
  sample: 0
release:
  description: The version of Kontain that is installed, empty without one.
  returned: always
  type: str
  sample: 0.1.0
facts:
  description: Facts about the host that explain the results; none of them decides anything.
  returned: always
  type: dict
  sample:
    architecture: x86_64
    container: false
    distribution: {id: debian, name: Debian GNU/Linux 13 (trixie), version: "13"}
    kernel: 6.12.48-amd64
    python: 3.13.5
    user: root
    virtualization: {flag: svm, hypervisor: false, kind: hardware, modules: [kvm, kvm_amd]}
results:
  description: One entry for each check, in their order.
  returned: always
  type: list
  elements: dict
  contains:
    check:
      description: The check's id.
      type: str
    title:
      description: The statement that the check verifies.
      type: str
    status:
      description: One of V(pass), V(warn), V(fail) and V(skip).
      type: str
    found:
      description: The finding, or why the check was skipped.
      type: str
    cause:
      description: Its cause or its consequence; empty for a check that passed.
      type: str
    fix:
      description: The remedy; empty for a check that passed.
      type: str
    details:
      description: The finding, for programs; its keys are those of the check.
      type: dict
    ignored:
      description: Whether O(ignore) named the check, so that it does not count.
      type: bool
    milliseconds:
      description: How long the check took.
      type: float
  sample:
    - check: kvm-device
      title: The kernel offers KVM as the character device /dev/kvm.
      status: fail
      found: there is no /dev/kvm
      cause: no virtualization is visible; no CPU flag svm or vmx, no module kvm
      fix: turn on nested virtualization for this virtual machine, or use a kernel with PVM
      details: {}
      ignored: false
      milliseconds: 0.084
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kontain.platform.plugins.module_utils.kontain_preflight.checks import (
    CHECKS,
    PROOFS,
    run_checks,
    unknown_ids,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_preflight.host import (
    PREFIX,
    Host,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_preflight.results import (
    FAIL,
    WARN,
    Report,
    Result,
)


def main() -> None:
    """Translate between Ansible and run_checks()."""
    module = AnsibleModule(
        argument_spec={
            "ignore": {"type": "list", "elements": "str", "default": []},
            "fail": {"type": "bool", "default": True},
            "proof": {"type": "bool", "default": False},
            "prefix": {"type": "path", "default": PREFIX},
        },
        supports_check_mode=True,
    )
    options = module.params
    unknown = unknown_ids(options["ignore"])
    if unknown:
        module.fail_json(
            msg=f"preflight: cannot ignore {unknown[0]!r}: no check has this id.\n"
            "To fix: take an id of `kontain check --list`."
        )
    checks = CHECKS + PROOFS if options["proof"] else CHECKS
    report = run_checks(Host(prefix=options["prefix"]), checks, options["ignore"])
    end(module, report, may_fail=options["fail"])


def end(module: AnsibleModule, report: Report, *, may_fail: bool) -> None:
    """End the module with the report."""
    for result in report.having(WARN):
        module.warn(message(result))
    answer = {"changed": False, **report.as_dict()}
    failures = report.having(FAIL)
    if failures and may_fail:
        module.fail_json(msg="\n".join(message(result) for result in failures), **answer)
    module.exit_json(**answer)


def message(result: Result) -> str:
    """Return the two lines that every message of Kontain has."""
    return f"{result.check}: {result.found}: {result.cause}.\nTo fix: {result.fix}."


if __name__ == "__main__":
    main()
