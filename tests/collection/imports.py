# SPDX-License-Identifier: Apache-2.0
"""The imports of the product's Python, read from its sources: also those within a function."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = {  # package → its folder
    "kontain_preflight": "preflight/kontain_preflight",
    "kontain_host": "host/kontain_host",
    "kontain_runenv": "runenv/kontain_runenv",
    "kontain_fleet": "fleet/kontain_fleet",
    "kontain_command": "command/kontain_command",
    "kontain_node": "deploy/node/kontain_node",
    "krun": "krun/src/krun",
}


def modules() -> dict[str, Path]:
    """Return name → file of each module of the packages; a package is its `__init__`."""
    found = {}
    for package, folder in PACKAGES.items():
        for file in sorted((ROOT / folder).rglob("*.py")):
            parts = file.relative_to(ROOT / folder).with_suffix("").parts
            found[".".join([package, *(part for part in parts if part != "__init__")])] = file
    return found


def imported(file: Path, name: str) -> Iterator[str]:
    """Yield the absolute names that a file imports, which is the module `name`.

    Of `from a import b` both `a` and `a.b`, for b may be a module. A relative import that climbs out
    of its package is of one beside it, as below plugins/module_utils.
    """
    for node in _run_imports(ast.parse(file.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
            continue
        base = node.module or ""
        if node.level:
            parts = name.split(".") if file.name == "__init__.py" else name.split(".")[:-1]
            above = parts[: max(0, len(parts) - node.level + 1)]
            base = ".".join([*above, *([base] if base else [])])
        yield base
        yield from (f"{base}.{alias.name}".lstrip(".") for alias in node.names)


def _run_imports(tree: ast.AST) -> Iterator[ast.Import | ast.ImportFrom]:
    """Yield the imports of a tree but for those that only a checker of types reads."""
    for node in ast.iter_child_nodes(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            yield from _run_imports(node)
