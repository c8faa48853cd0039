# SPDX-License-Identifier: Apache-2.0
"""The controller's half of what carries a bundle: bring it to the host, for as long as it takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.errors import AnsibleActionFail  # type: ignore[import-untyped]  # Ansible has no types
from ansible.plugins.action import ActionBase  # type: ignore[import-untyped]  # likewise

ROOT = Path(__file__).resolve().parent.parent.parent
KEYS = ("meta/release.pub", "build/dist/release.pub")  # of a published collection; of a checkout


class BundleAction(ActionBase):  # type: ignore[misc]  # Ansible has no types
    """An action whose module reads a bundle on the host."""

    def _add_trust(self, options: dict[str, Any], bundle: Path) -> None:
        """Tell the host by what it may know the bundle: keys of this controller, and its own build's sum."""
        if options.get("key"):
            options["key_text"] = self._text(Path(options["key"]))
        own = [ROOT / name for name in KEYS if (ROOT / name).is_file()]
        options["brought_key"] = self._text(own[0]) if own else ""
        built = ROOT / "build/bundle.sha256"
        if (
            not options.get("sha256")
            and built.is_file()
            and bundle.resolve().parent == built.parent
        ):
            digest, _, name = built.read_text(encoding="utf-8").strip().partition("  ")
            if name == bundle.name:
                options["sha256"] = digest

    def _text(self, key: Path) -> str:
        try:
            return key.read_text(errors="replace")
        except OSError as problem:
            raise AnsibleActionFail(
                f"{self._task.action}: cannot read the key {key}: {problem.strerror}.\n"
                "To fix: give the path of a file release.pub on the controller."
            ) from problem

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
