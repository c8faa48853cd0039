# SPDX-License-Identifier: Apache-2.0
"""Write each role's README.md from its argument spec: `python3 -m tools.docs.role_readme`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml  # type: ignore[import-untyped]  # Ansible brings it, without types

ROOT = Path(__file__).resolve().parents[2]


def read_yaml(path: Path) -> Any:
    """Return what a YAML file holds."""
    return yaml.safe_load(path.read_text(encoding="utf-8"))


def plain(text: str) -> str:
    """Turn Ansible's C(…) into Markdown's code."""
    parts = text.split("C(")
    return parts[0] + "".join("`" + part.replace(")", "`", 1) for part in parts[1:])


def table(options: dict[str, Any]) -> list[str]:
    """Return the rows for the variables of one entry point."""
    rows = ["| variable | type | default | meaning |", "|---|---|---|---|"]
    for name, option in options.items():
        kind = option["type"] + (f" of {option['elements']}" if "elements" in option else "")
        if "choices" in option:
            kind += ": " + ", ".join(option["choices"])
        default = "required" if option.get("required") else f"`{json.dumps(option['default'])}`"
        rows.append(f"| `{name}` | {kind} | {default} | {plain(option['description'])} |")
    return rows


def readme(role: Path) -> str:
    """Return the README of a role."""
    lines = [f"# Role kontain.platform.{role.name}"]
    for entry, spec in read_yaml(role / "meta/argument_specs.yml")["argument_specs"].items():
        lines += [] if entry == "main" else ["", f"## Entry point `{entry}`"]
        lines += ["", f"{spec['short_description']}.", ""]
        lines += [plain(sentence) for sentence in spec.get("description", [])]
        lines += ["", *table(spec["options"])] if spec["options"] else []
    needed = [each["role"] for each in read_yaml(role / "meta/main.yml")["dependencies"]]
    if needed:
        lines += ["", f"Runs first: {', '.join(f'`{name}`' for name in needed)}."]
    lines += ["", "This file is made from `meta/` by `tools/docs/role_readme.py`."]
    return "\n".join(lines).replace("\n\n\n", "\n\n") + "\n"


def main() -> None:
    """Write all of them."""
    for role in sorted((ROOT / "roles").iterdir()):
        (role / "README.md").write_text(readme(role), encoding="utf-8")


if __name__ == "__main__":
    main()
