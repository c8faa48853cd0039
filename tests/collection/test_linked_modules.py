# SPDX-License-Identifier: Apache-2.0
"""plugins/module_utils links what a module or an action needs of the libraries, and no more."""

from __future__ import annotations

from pathlib import Path

from .imports import PACKAGES, ROOT, imported, modules

UTILS = ROOT / "plugins/module_utils"
PREFIX = "ansible_collections.kontain.platform.plugins.module_utils."


def linked() -> dict[str, Path]:
    """Return name → link of the modules below plugins/module_utils."""
    links = [place for place in UTILS.rglob("*.py") if place.is_symlink()]
    names = [place.relative_to(UTILS).with_suffix("").parts for place in links]
    return {
        ".".join(part for part in parts if part != "__init__"): place
        for parts, place in zip(names, links)
    }


def needed() -> set[str]:
    """Return the modules of the libraries that plugins import, with all that those import."""
    known = modules()
    plugins = [
        *(ROOT / "plugins").glob("modules/*.py"),
        *(ROOT / "plugins").glob("action/*.py"),
        *(place for place in UTILS.glob("*.py")),
    ]
    pending = [name.removeprefix(PREFIX) for file in plugins for name in imported(file, file.stem)]
    found: set[str] = set()
    while pending:
        name = pending.pop()
        if name.split(".")[0] not in PACKAGES or name not in known or name in found:
            continue
        found.add(name)
        pending += [name.rpartition(".")[0], *imported(known[name], name)]
    return found


def test_what_a_plugin_imports_is_linked_and_nothing_else() -> None:
    """A module that no plugin needs is not sent to hosts; one that is needed is not forgotten."""
    assert set(linked()) == needed()


def test_a_link_leads_to_the_module_of_its_name() -> None:
    """Each link is relative and leads to the file of its name: Ansible and the commands run one code."""
    known = modules()
    assert not [place for place in linked().values() if place.readlink().is_absolute()]
    wrong = [
        name
        for name, place in linked().items()
        if (place.resolve(), place.name) != (known[name], known[name].name)
    ]
    assert not wrong
