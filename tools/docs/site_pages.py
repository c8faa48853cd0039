# SPDX-License-Identifier: Apache-2.0
"""Build the site of the documents: `python3 -m tools.docs.site_pages` leaves it in build/site.

The pages are the repository's own, at their own paths, so that a link leads to the same place in a
clone and on the site; links to other files lead to the repository. The reference of Ansible's
modules is made from their own documentation. Any warning is an error.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from glob import has_magic
from pathlib import Path
from posixpath import dirname, normpath
from typing import Any

import yaml  # type: ignore[import-untyped]  # MkDocs brings it, without types

ROOT = Path(__file__).resolve().parents[2]
STAGE = ROOT / "build" / "site-src"
LANDING = "docs/landing.md"
NOT_A_PAGE = "README.md"  # the repository's own front, as long as a page of a repository
REPOSITORY = "https://github.com/kontainapp/platform"
PAGES = (
    "*.md",
    "docs/**/*.md",
    "docs/**/*.svg",
    "docs/*.css",
    "examples/**/*.md",
    "*/man/*.md",
    "roles/*/*.md",
)
LINK = re.compile(r"(?P<text>\[[^]]*\])\((?P<path>[^)#: ]+)(?P<anchor>#[^)]*)?\)")
FENCE = re.compile(r"^```.*?^```\n", re.DOTALL | re.MULTILINE)


def find_pages() -> list[str]:
    """Return the paths of the site's pages, relative to the repository."""
    found = {path.relative_to(ROOT) for pattern in PAGES for path in ROOT.glob(pattern)}
    return sorted({*map(str, found)} - {NOT_A_PAGE})


def place(page: str) -> str:
    """Return the path of a page on the site: the landing page stands at its root."""
    return "index.md" if page == LANDING else page


def from_root(text: str) -> str:
    """Return the landing page's text with its links as they are at the root of the site."""

    def lead(link: re.Match[str]) -> str:
        path = normpath(f"{dirname(LANDING)}/{link['path']}")
        return f"{link['text']}({path}{link['anchor'] or ''})"

    return LINK.sub(lead, text)


def lead_out(text: str, page: str, pages: set[str]) -> str:
    """Return `text` of `page` with links to what is no page of the site leading to the repository."""

    def lead(link: re.Match[str]) -> str:
        target = normpath(f"{dirname(page)}/{link['path']}").lstrip("/")
        if target in pages:
            return link[0]
        if f"{target}/README.md" in pages:
            return f"{link['text']}({link['path'].rstrip('/')}/README.md)"
        if not (ROOT / target).exists():
            return link[0]  # MkDocs will say so
        kind = "tree" if (ROOT / target).is_dir() else "blob"
        return f"{link['text']}({REPOSITORY}/{kind}/main/{target})"

    parts, end = [], 0
    for fence in FENCE.finditer(text):
        parts += [LINK.sub(lead, text[end : fence.start()]), fence[0]]
        end = fence.end()
    return "".join([*parts, LINK.sub(lead, text[end:])])


def plain(text: str) -> str:
    """Turn Ansible's C(…) and O(…) into Markdown's code."""
    return re.sub(r"\b[CO]\((.*?)\)", r"`\1`", text).replace("|", "\\|")


def sentences(description: str | list[str]) -> str:
    """Return a description, which Ansible lets be one text or several."""
    return plain(description if isinstance(description, str) else " ".join(description))


def module_page(module: Path) -> Iterator[str]:
    """Yield the lines on one module, from its own documentation."""
    source = module.read_text(encoding="utf-8")
    found = re.search(r'^DOCUMENTATION = r"""\n(.*?)^"""', source, re.DOTALL | re.MULTILINE)
    example = re.search(r'^EXAMPLES = r"""\n(.*?)^"""', source, re.DOTALL | re.MULTILINE)
    if not found or not example:
        raise SystemExit(f"site_pages.py: {module} has no documentation, or no examples.")
    document: dict[str, Any] = yaml.safe_load(found[1])
    yield f"## kontain.platform.{module.stem}\n\n{document['short_description']}.\n"
    yield sentences(document["description"]) + "\n"
    if document.get("options"):
        yield "| option | type | default | meaning |\n|---|---|---|---|"
    for name, option in (document.get("options") or {}).items():
        default = "required" if option.get("required") else f"`{option.get('default', '')}`"
        kind = ", ".join([option.get("type", "str"), *map(str, option.get("choices", []))])
        cells = [f"`{name}`", kind, default.replace("``", ""), sentences(option["description"])]
        yield f"| {' | '.join(cells)} |"
    yield f"\n```yaml\n{example[1]}```\n"


def stage() -> None:
    """Lay the pages out below build/site-src."""
    shutil.rmtree(STAGE, ignore_errors=True)
    pages = find_pages()
    for page in pages:
        (STAGE / page).parent.mkdir(parents=True, exist_ok=True)
        if page.endswith(".md"):
            text = (ROOT / page).read_text(encoding="utf-8")
            text = from_root(text) if page == LANDING else text
            text = lead_out(text, place(page), set(pages))
            (STAGE / place(page)).write_text(text, encoding="utf-8")
        else:
            shutil.copyfile(ROOT / page, STAGE / page)
    lines = ["# Ansible's modules\n", "`ansible-doc kontain.platform.NAME` shows the same.\n"]
    for module in sorted((ROOT / "plugins/modules").glob("[a-z]*.py")):
        lines += module_page(module)
    (STAGE / "docs/reference/modules.md").write_text("\n".join(lines), encoding="utf-8")


def expand(nav: list[Any]) -> list[Any]:
    """Return a navigation with each pattern replaced by the pages that match and stand nowhere else."""
    named = set(re.findall(r"[\w./-]+\.md", str(nav)))
    expanded: list[Any] = []
    for entry in nav:
        if isinstance(entry, dict):
            expanded += [{k: expand(v) if isinstance(v, list) else v for k, v in entry.items()}]
        elif has_magic(entry):
            found = sorted(str(path.relative_to(STAGE)) for path in STAGE.glob(entry))
            expanded += [path for path in found if path not in named]
        else:
            expanded.append(entry)
    return expanded


def main() -> int:
    """Stage, and build."""
    stage()
    settings = yaml.safe_load((ROOT / "docs/mkdocs.yml").read_text(encoding="utf-8"))
    settings |= {"nav": expand(settings["nav"]), "docs_dir": "site-src", "site_dir": "site"}
    configuration = ROOT / "build/mkdocs.yml"
    configuration.write_text(yaml.safe_dump(settings, sort_keys=False), encoding="utf-8")
    command = [
        sys.executable,
        "-m",
        "mkdocs",
        "build",
        "--strict",
        "--config-file",
        str(configuration),
    ]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}  # it tells of another project
    return subprocess.run(command, env=environment, check=False).returncode


if __name__ == "__main__":
    sys.exit(main())
