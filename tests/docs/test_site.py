# SPDX-License-Identifier: Apache-2.0
"""The documents as a site: it builds without a warning, and says what the sources say."""

from __future__ import annotations

import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tools.docs import site_pages

ROOT = Path(__file__).resolve().parents[2]
HEADING = re.compile(r"^### `(.+)`$", re.MULTILINE)
SOURCES = (
    "km/src/*.c",
    "km/src/*/*.c",
    "krun/launcher/*.c",
    "krun/src/krun/*.py",
    "runenv/kontain_runenv/*.py",
    "host/kontain_host/**/*.py",
    "command/kontain_command/*.py",
)


class Addresses(HTMLParser):
    """Collects what a page fetches by itself: scripts, styles, pictures, fonts."""

    def __init__(self) -> None:
        """Begin with none."""
        super().__init__()
        self.fetched: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Keep the addresses of one element."""
        values = dict(attrs)
        wanted = {"script": "src", "img": "src", "link": "href"}.get(tag, "")
        if values.get(wanted) and values.get("rel") not in ("canonical", "next", "prev"):
            self.fetched.append(str(values[wanted]))


@pytest.fixture(scope="module")
def site() -> Path:
    """The site, just built."""
    pytest.importorskip("mkdocs", reason="MkDocs is missing: run `make venv`")
    command = [sys.executable, "-m", "tools.docs.site_pages"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return ROOT / "build/site"


def test_site_has_every_page(site: Path) -> None:
    """Each document, man page and README stands on the site, and so does each module of Ansible."""
    for page in site_pages.find_pages():
        made = site_pages.place(page).replace("README.md", "index.html").replace(".md", ".html")
        assert (site / made).exists(), page
    modules = (site / "docs/reference/modules.html").read_text()
    for module in (ROOT / "plugins/modules").glob("[a-z]*.py"):
        assert f"kontain.platform.{module.stem}" in modules


def test_site_fetches_nothing_from_elsewhere(site: Path) -> None:
    """A page needs no network: its scripts, styles, fonts and pictures are the site's own files."""
    for page in (site / "index.html", site / "docs/explanation/km.html"):
        addresses = Addresses()
        addresses.feed(page.read_text())
        assert len(addresses.fetched) > 3
        for address in addresses.fetched:
            assert not re.match(r"\w+:|//", address), address
            assert (page.parent / address.partition("?")[0]).exists(), address


def test_links_lead_to_the_repository_or_to_pages() -> None:
    """A link to what is no page of the site leads to the repository, unless it is in a fence."""
    pages = {"docs/a.md", "docs/b.md", "examples/README.md"}
    text = "[a](b.md) [b](../examples/) [c](../Makefile) [d](../km/src)\n```text\n[e](../Makefile)\n```\n"
    assert site_pages.lead_out(text, "docs/a.md", pages) == (
        "[a](b.md) [b](../examples/README.md) "
        f"[c]({site_pages.REPOSITORY}/blob/main/Makefile) [d]({site_pages.REPOSITORY}/tree/main/km/src)\n"
        "```text\n[e](../Makefile)\n```\n"
    )
    assert site_pages.lead_out("[x](gone.md)", "docs/a.md", pages) == "[x](gone.md)"


def test_messages_are_those_of_the_sources() -> None:
    """Each message that the page explains can come: its words stand in a program's source."""
    files = [path for pattern in SOURCES for path in ROOT.glob(pattern)] + [
        ROOT / "install.sh",
        ROOT / "toolchain/bin/gcc-kontain",
    ]
    # What a message puts in is … on the page; a string that goes over lines is joined.
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    text = re.sub(r'"\s*\n\s*f?"', "", text).replace('\\"', '"')
    messages = HEADING.findall((ROOT / "docs/how-to/messages.md").read_text(encoding="utf-8"))
    assert len(messages) > 15
    for message in messages:
        for part in message.split("…"):
            assert part.strip() in text, f"{message}: no program says {part!r}"
