# SPDX-License-Identifier: Apache-2.0
"""The controller's half of what carries a bundle: bring it to the host, for as long as it takes."""

from __future__ import annotations

from pathlib import Path

from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]  # Ansible has no types


class BundleAction(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """An action whose module reads a bundle on the host."""

    def _bring(self, bundle: Path) -> str:
        """Return where the host finds the bundle: in the folder that the action removes at its end."""
        if self._connection.transport == "local":
            return str(bundle.resolve())
        if not self._connection._shell.tmpdir:
            self._make_tmp_path()
        folder = self._connection._shell.tmpdir
        place: str = self._connection._shell.join_path(folder, bundle.name)
        self._transfer_file(str(bundle), place)
        self._fixup_perms2((folder, place))
        return place
