# SPDX-License-Identifier: Apache-2.0
"""The controller's half of the module release: bring the bundle to the host, for as long as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail  # type: ignore[import-untyped]  # Ansible has no types
from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]


class ActionModule(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """Copies `src` into the host's temporary folder, and runs the module on the copy."""

    def run(self, tmp: Any = None, task_vars: Any = None) -> dict[str, Any]:
        """Return the module's result."""
        result: dict[str, Any] = super().run(tmp, task_vars)
        options = dict(self._task.args)
        try:
            if options.get("src") and options.get("state", "present") == "present":
                options["src"] = self._bring(Path(options["src"]))
            result.update(self._execute_module(module_args=options, task_vars=task_vars))
        finally:
            self._remove_tmp_path(self._connection._shell.tmpdir)
        return result

    def _bring(self, bundle: Path) -> str:
        """Return where the host finds the bundle."""
        if not bundle.is_file():
            message = (
                f"release: cannot read the bundle {bundle}: there is no such file.\n"
                "To fix: give the path of a file kontain-VERSION-x86_64.tar.gz on the controller."
            )
            raise AnsibleActionFail(message)
        if self._connection.transport == "local":
            return str(bundle.resolve())
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        folder = self._connection._shell.tmpdir
        place: str = self._connection._shell.join_path(folder, bundle.name)
        self._transfer_file(str(bundle), place)
        self._fixup_perms2((folder, place))
        return place
