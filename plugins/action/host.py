# SPDX-License-Identifier: Apache-2.0
"""The controller's half of the module host: bring what the host turns out to need, and only that."""

from __future__ import annotations

import hashlib
import tarfile
from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail  # type: ignore[import-untyped]  # Ansible has no types
from ansible_collections.kontain.platform.plugins.plugin_utils.bundles import (
    ROOT,
    BundleAction,
)

PACKAGES = ROOT / "roles/packages/vars/main.yml"


class ActionModule(BundleAction):  # type: ignore[misc]  # Ansible has no types
    """Calls the module, mostly once: on a host that has the release, nothing is carried."""

    _supports_check_mode = True

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = dict(self._task.args)
        bundle = options.pop("src", None)
        options.pop("digest", None)
        installed: list[str] = []
        try:
            if options.get("state", "present") == "present":
                bundle = Path(bundle) if bundle else newest_bundle()
                options["digest"] = digest(bundle)
                self._add_trust(options, bundle)
            answer = self._call(options, task_vars)
            if answer.get("needs") == "packages":
                installed = answer["missing"]
                self._install(installed, task_vars)
                answer = self._call(options, task_vars)
            if answer.get("needs") == "bundle":
                answer = self._call({**options, "src": self._bring(bundle)}, task_vars)
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        if installed:
            answer.update(changed=True, missing=installed)
        result.update(answer)
        return result

    def _call(self, options: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name="kontain.platform.host", module_args=options, task_vars=task_vars
        )
        return answer

    def _install(self, programs: list[str], task_vars: Any) -> None:
        """Install the packages of programs, by the table of the role packages."""
        subset = {"gather_subset": ["!all", "!min", "distribution", "pkg_mgr"]}
        facts = self._module("ansible.legacy.setup", subset, task_vars)["ansible_facts"]
        family, name = facts["ansible_os_family"], facts["ansible_distribution"]
        tables = self._loader.load_from_file(str(PACKAGES))["__packages_table"]
        if family not in tables:
            raise AnsibleActionFail(
                f"host: cannot install {', '.join(programs)}: the packages of {name} are not known.\n"
                "To fix: install them by hand, then run this again."
            )
        table = {**tables[family], **tables.get(name, {})}
        wanted = [package for program in programs for package in table[program]]
        options = {"name": wanted, "state": "present", "update_cache": True}
        self._module(f"ansible.legacy.{facts['ansible_pkg_mgr']}", options, task_vars)

    def _module(self, name: str, options: dict[str, Any], task_vars: Any) -> dict[str, Any]:
        answer: dict[str, Any] = self._execute_module(
            module_name=name, module_args=options, task_vars=task_vars
        )
        if answer.get("failed"):
            raise AnsibleActionFail(
                f"host: the module {name} failed: {answer.get('msg', 'it said nothing')}.\n"
                "To fix: remove the cause that it names, then run this again."
            )
        return answer


def newest_bundle() -> Path:
    """Return the bundle that was made in this collection's folder."""
    found = [
        *ROOT.glob("build/kontain-*-x86_64.tar.gz"),
        *ROOT.glob("build/dist/kontain-*-x86_64.tar.gz"),
    ]
    if not found:
        raise AnsibleActionFail(
            f"host: there is no bundle: {ROOT}/build has none.\n"
            "To fix: give one with -e kontain_bundle=FILE; a release has it, and `make bundle` makes it."
        )
    return max(found, key=lambda path: path.stat().st_mtime)


def digest(bundle: Path) -> str:
    """Return the SHA-256 of the release's MANIFEST, which stands near the bundle's beginning."""
    try:
        with tarfile.open(bundle, "r|gz") as archive:
            for member in archive:
                if member.name.endswith("/release/MANIFEST"):
                    stream = archive.extractfile(member)
                    return hashlib.sha256(stream.read() if stream else b"").hexdigest()
        why = "it has no release/MANIFEST"
    except (OSError, tarfile.TarError, EOFError) as problem:
        why = str(problem)
    raise AnsibleActionFail(
        f"host: cannot read the bundle {bundle}: {why}.\n"
        "To fix: give the path of a file kontain-VERSION-x86_64.tar.gz on the controller."
    )
