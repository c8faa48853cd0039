# SPDX-License-Identifier: Apache-2.0
"""The controller's half of the module release: bring the bundle to the host, for as long as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail  # type: ignore[import-untyped]  # Ansible has no types
from ansible_collections.kontain.platform.plugins.plugin_utils.bundles import (
    BundleAction,
)


class ActionModule(BundleAction):  # type: ignore[misc]  # Ansible has no types
    """Copies `src` into the host's temporary folder, and runs the module on the copy."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = dict(self._task.args)
        try:
            if options.get("src") and options.get("state", "present") == "present":
                bundle = readable(Path(options["src"]))
                self._add_trust(options, bundle)
                options["src"] = self._bring(bundle)
            result.update(self._execute_module(module_args=options, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result


def readable(bundle: Path) -> Path:
    """Return the bundle, which is a file of the controller."""
    if bundle.is_file():
        return bundle
    raise AnsibleActionFail(
        f"release: cannot read the bundle {bundle}: there is no such file.\n"
        "To fix: give the path of a file kontain-VERSION-x86_64.tar.gz on the controller."
    )
