#!/usr/bin/python
# SPDX-License-Identifier: Apache-2.0
"""Ansible module: all of Kontain on one host in one call, for fleets."""

from __future__ import annotations

DOCUMENTATION = r"""
module: host
short_description: Check a host, make it a Kontain host, and prove it, in one call
version_added: 0.1.0
description:
  - Does in one call what the roles of this collection do in many, for what costs on a fleet is the
    number of tasks. Checks the host, compares it with the release, changes what differs in one
    transaction, and runs the proofs.
  - The bundle is brought to the host only where the host has not that release already.
  - Installs the distribution packages of what is missing, crun or runc, and the engines.
extends_documentation_fragment:
  - kontain.platform.modules
  - kontain.platform.modules.prefix
  - kontain.platform.modules.trust
  - kontain.platform.modules.ignore
options:
  state:
    description:
      - V(present) makes the host a Kontain host.
      - V(checked) changes nothing.
    type: str
    choices: [present, checked]
    default: present
  src:
    description:
      - Path of the bundle C(kontain-VERSION-x86_64.tar.gz) on the controller.
      - The default is the newest in the collection's folder C(build) or C(build/dist).
    type: path
  engines:
    description:
      - Engines to register with; the default is docker and podman where they are there, or else podman.
      - C(containerd) and C(crio) are registered with, but not installed.
    type: list
    elements: str
    choices: [containerd, crio, docker, podman]
    default: []
  proof:
    description:
      - When a payload is run by krun and by each engine too; V(changed) is after a change.
      - By km alone it is run always, where Kontain is installed; that tells the cold start.
    type: str
    choices: [always, changed, never]
    default: changed
  rollback:
    description:
      - Whether a host whose proof fails after a change goes back to what it was before, to the release
        that it had, or to no Kontain. Packages that were installed stay.
      - The task fails all the same, and RV(rolled_back) says what the host has now.
    type: bool
    default: false
  digest:
    description: The SHA-256 of the release's MANIFEST; set by the controller's half of this module.
    type: str
"""

EXAMPLES = r"""
- name: Make hosts Kontain hosts
  kontain.platform.host:
    src: build/kontain-0.1.0-x86_64.tar.gz

- name: See what hosts are like, with a container in a VM through each engine
  kontain.platform.host:
    state: checked
    proof: always
"""

RETURN = r"""
release:
  description: The version that is installed now, empty without one.
  returned: always
  type: str
  sample: 0.1.0
verdict:
  description: One of V(good), V(warnings) and V(refused).
  returned: always
  type: str
  sample: good
cold_start_ms:
  description: How long the hello payload took by km, from start to end, in milliseconds.
  returned: when Kontain is installed
  type: float
  sample: 2.1
results:
  description: One entry for each check and proof, with C(check), C(status), C(found), C(cause) and C(fix).
  returned: always
  type: list
  elements: dict
  sample:
    - check: kvm-device
      status: pass
      found: /dev/kvm is there
      cause: ""
      fix: ""
facts:
  description: The distribution and the CPU, as C(kontain check --json --facts) tells them, without its flags.
  returned: always
  type: dict
  sample:
    cpu: {brand: AMD EPYC 9B14, family: 25, model: 17, stepping: 1, vendor: AuthenticAMD}
    distribution: {codename: bookworm, id: debian, like: [], version: "12"}
rolled_back:
  description: The host's version after a failed proof and the rollback, or V(no Kontain).
  returned: when O(rollback=true) and a proof failed after a change
  type: str
  sample: 0.1.0
missing:
  description: Programs that the host lacks and whose packages were, or would be, installed.
  returned: always
  type: list
  elements: str
  sample: [crun]
changes:
  description: The changes made, or in check mode planned, in this order.
  returned: always
  type: list
  elements: dict
  sample:
    - kind: link
      owner: release
      path: /opt/kontain/current
      reason: the version in use
"""

from pathlib import Path
from typing import Any, Dict, List, Optional

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.kontain.platform.plugins.module_utils.bundle_options import (
    TRUST_OPTIONS,
    trust_of,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host import (
    engines,
    install,
    release,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.bundle import (
    Bundle,
    open_bundle,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.errors import (
    HostError,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.host import (
    Host,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.journal import (
    Journal,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.transaction import (
    perform,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.tree import (
    tree_state,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_host.uninstall import (
    go_back,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_preflight import (
    checks,
    deep_facts,
    manifest,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_preflight.results import (
    FAIL,
)
from ansible_collections.kontain.platform.plugins.module_utils.kontain_preflight.results import (
    Report as Findings,
)

COLD_START = checks.PROOFS[0].id
KEPT = ("check", "status", "found", "cause", "fix")


class Visit:
    """One call on one host."""

    def __init__(self, module: AnsibleModule) -> None:
        """Take what the task asks for."""
        self.module = module
        self.options: Dict[str, Any] = module.params
        self.host = Host(prefix=self.options["prefix"], trust=trust_of(self.options))
        self.answer: Dict[str, Any] = {"changed": False, "changes": [], "missing": []}

    def run(self) -> None:
        """Check, change and prove."""
        cpu = deep_facts.read_cpu(self.host)  # the package py-cpuinfo would take a second
        del cpu["flags"]
        self.answer["facts"] = {"distribution": deep_facts.distribution(self.host), "cpu": cpu}
        self._look(checks.CHECKS)
        if self.options["state"] == "present":
            self._converge()
        self._prove()
        self.module.exit_json(**self.answer)

    def _look(self, chosen: Any) -> None:
        """Run checks, and keep their results; end the module when the host cannot continue."""
        findings = checks.run_checks(self.host, chosen, self.options["ignore"])
        kept = [result for result in self.answer.get("results", []) if result["status"] != FAIL]
        kept += [{key: getattr(each, key) for key in KEPT} for each in findings.results]
        self.answer.update(
            results=kept, release=findings.release, verdict=findings.as_dict()["verdict"]
        )
        self._details = {each.check: dict(each.details) for each in findings.results}
        if COLD_START in self._details and "run_ms" in self._details[COLD_START]:
            self.answer["cold_start_ms"] = self._details[COLD_START]["run_ms"]
        self._refuse(findings)

    def _refuse(self, findings: Findings) -> None:
        failures = findings.having(FAIL)
        if failures:
            text = "\n".join(
                f"{f.check}: {f.found}: {f.cause}.\nTo fix: {f.fix}." for f in failures
            )
            text += self._go_back() if self.options["rollback"] else ""
            self.module.fail_json(msg=text, **self.answer)

    def _go_back(self) -> str:
        """Make the host what it was before this call changed it, and return a line that says so."""
        switched = f"{self.host.prefix}/current"
        if not any(change["path"] == switched for change in self.answer["changes"]):
            return ""  # no other release was tried
        try:
            go_back(self.host, self.last_change)
        except HostError as error:
            return f"\nThe host was not rolled back: {error}"
        self.answer["rolled_back"] = self.before or "no Kontain"
        self.answer["release"] = self.before
        return f"\nThe host is back at {self.answer['rolled_back']}."

    def _converge(self) -> None:
        self.before = self.answer["release"]
        self.last_change = Journal(self.host).last_id()
        wanted = self._engines()
        self.answer["missing"] = self._missing(wanted)
        if self.answer["missing"] and not self.module.check_mode:
            self._end_needing("packages")
        bundle = self._bundle()
        if bundle is None:
            self._end_needing("bundle")
            return
        plan = install.planner(self.host, bundle, wanted)
        check = self.module.check_mode
        report = perform(self.host, f"install {bundle.version}", plan, check=check)
        if report.changed and not check:
            release.collect(self.host, report)
        for warning in report.warnings:
            self.module.warn(warning)
        changed = report.changed or bool(self.answer["missing"])
        self.answer.update(changed=changed, changes=report.changes, diff=report.diff)

    def _engines(self) -> List[str]:
        return self.options["engines"] or engines.usual(self.host) or [engines.DEFAULT]

    def _missing(self, wanted: List[str]) -> List[str]:
        """Return the programs that packages must bring before Kontain can work."""
        there = self._details["engines"].get("engines", [])
        missing = engines.wanted_programs([name for name in wanted if name not in there])
        if not self._details["backend"].get("fits"):
            hybrid = self._details["cgroup"].get("mode") == "hybrid"
            missing.append("runc" if hybrid else "crun")
        return missing

    def _bundle(self) -> Optional[Bundle]:
        """Return the bundle that was brought, or what of it is installed; None: it must be brought."""
        if self.options["src"]:
            return open_bundle(self.host, Path(self.options["src"]))
        current = self.host.path(f"{self.host.prefix}/current")
        if tree_state(current.resolve()).get("manifest") != self.options["digest"]:
            return None  # none, another, or one that somebody changed
        content = (current / manifest.NAME).read_bytes()
        version = (current / "VERSION").read_text(encoding="utf-8").strip()
        files = frozenset([*manifest.parse(content), manifest.NAME])
        return Bundle(current, version, content, 0, files, {}, None)

    def _end_needing(self, what: str) -> None:
        """Ask the controller's half for something, and to call again."""
        self.module.exit_json(needs=what, **self.answer)

    def _prove(self) -> None:
        if not self.answer["release"] and not self.answer["changed"]:
            return
        if self.module.check_mode and self.answer["changed"]:
            return
        proof = self.options["proof"]
        whole = proof == "always" or (proof == "changed" and self.answer["changed"])
        self._look(checks.PROOFS if whole else checks.PROOFS[:1])


def main() -> None:
    """Translate between Ansible and the libraries."""
    module = AnsibleModule(
        argument_spec={
            "state": {"choices": ["present", "checked"], "default": "present"},
            "src": {"type": "path"},
            "engines": {
                "type": "list",
                "elements": "str",
                "choices": engines.ENGINES,
                "default": [],
            },
            "proof": {"choices": ["always", "changed", "never"], "default": "changed"},
            "rollback": {"type": "bool", "default": False},
            "ignore": {"type": "list", "elements": "str", "default": []},
            "prefix": {"type": "path", "default": "/opt/kontain"},
            "digest": {"type": "str"},
            **TRUST_OPTIONS,
        },
        supports_check_mode=True,
    )
    visit = Visit(module)
    try:
        visit.run()
    except HostError as error:
        module.fail_json(msg=str(error), **visit.answer)


if __name__ == "__main__":
    main()
