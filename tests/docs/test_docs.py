# SPDX-License-Identifier: Apache-2.0
"""The pages say what is so: their links lead somewhere, and their commands run, in a copy of this host."""

import re
import subprocess
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.collection.sandbox import Sandbox, why_not
from tests.sources import pack_sources

from .blocks import Block, find_blocks

ROOT = Path(__file__).resolve().parents[2]
CLONE = "/root/platform"
# These begin with a bare host and leave one; the others begin with an installed one.
WHOLE = [ROOT / "docs/getting-started.md", ROOT / "README.md"]
PAGES = [*WHOLE, ROOT / "CONTRIBUTING.md", ROOT / "CHANGELOG.md"]
PAGES += sorted(path for path in (ROOT / "docs").rglob("*.md") if path not in PAGES)
RUN = [page for page in PAGES if any(not block.reason for block in find_blocks(page, ROOT))]
TRACKED = subprocess.run(
    ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
).stdout.splitlines()
LINKING = [ROOT / name for name in TRACKED if name.endswith(".md")] or PAGES
LINK = re.compile(r"\[[^]]*\]\((?!https?://)(?P<path>[^)#]*)(?:#(?P<title>[^)]*))?\)")
NAMED = re.compile(r"(?<![\w/.-])(?:tests|bench|tools|deploy|molecule|examples)/[\w./-]*\w")
"""A path of this tree in a text."""
NOT_HERE = {"tests/FOLDER", "tests/test_helper.tcl"}
"""What stands for a folder, and a file of another project's."""

# A host without the right to raise limits cannot run podman's defaults, and one without sudo is root's.
PREPARE = f"""
mkdir -p {CLONE} /etc/containers/containers.conf.d
tar -x -C {CLONE}
cat >/etc/containers/containers.conf.d/00-limits.conf <<'END'
[containers]
default_ulimits = ["nofile=1024:4096", "nproc=1000:1000"]
END
if ! command -v sudo; then
    printf '#!/bin/sh\\nexec "$@"\\n' >/usr/bin/sudo
    chmod 755 /usr/bin/sudo
fi
"""


@pytest.fixture(scope="module")
def host() -> Iterator[Sandbox]:
    """A copy of this host with a clone of the sources, and with docker's daemon."""
    reason = why_not()
    if reason:
        pytest.skip(reason)
    with closing(Sandbox()) as sandbox:
        prepared = sandbox.run("sh", "-ec", PREPARE, input=pack_sources(), text=False)
        assert prepared.returncode == 0, prepared.stderr
        sandbox.start_dockerd()
        yield sandbox


def run(host: Sandbox, commands: str) -> "subprocess.CompletedProcess[str]":
    """Run commands in the clone, as a reader would paste them; the first failure ends them."""
    return host.run(
        "bash",
        "-ec",
        f"cd {CLONE}\n{commands}",
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        capture_output=False,
    )


@pytest.mark.needs_root
@pytest.mark.needs_kvm
@pytest.mark.slow
@pytest.mark.parametrize("page", RUN, ids=lambda page: str(page.relative_to(ROOT)))
def test_commands_run_as_written(host: Sandbox, page: Path) -> None:
    """Every command of a page runs in its order, and prints what the page says."""
    if page not in WHOLE:
        ran = run(host, "./install.sh")
        assert ran.returncode == 0, ran.stdout
    for block in find_blocks(page, ROOT):
        if block.reason:
            continue
        ran = run(host, block.commands)
        assert ran.returncode == 0, f"{block.page}:{block.line}:\n{block.commands}\n{ran.stdout}"
        assert block.prints(ran.stdout), f"{block.page}:{block.line}: printed\n{ran.stdout}"


def anchors(page: Path) -> set[str]:
    """Return the anchors of a page's titles, as GitHub makes them."""
    titles = re.findall(r"^#+ (.*)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    words = (re.sub(r"[^\w -]", "", LINK.sub("", title.lower())) for title in titles)
    return {text.strip().replace(" ", "-") for text in words}


@pytest.mark.parametrize("page", LINKING, ids=lambda page: str(page.relative_to(ROOT)))
def test_links_lead_to_files(page: Path) -> None:
    """A link to a place in this repository leads to a file or folder, and to a title that it has."""
    for link in LINK.finditer(page.read_text(encoding="utf-8")):
        there = page.parent / link["path"] if link["path"] else page
        assert there.exists(), f"{page.name}: {link[0]}"
        assert not link["title"] or link["title"] in anchors(there), f"{page.name}: {link[0]}"


def test_named_files_are_there() -> None:
    """A test, program or folder that a page or a manifest names by its path is in the tree.

    Decisions and the changelog may name what was there.
    """
    texts = [page for page in LINKING if not {"decisions", "CHANGELOG.md"} & set(page.parts)]
    texts += [ROOT / name for name in TRACKED if name.startswith("deploy/")]
    missing = {
        f"{text.relative_to(ROOT)}: {name}"
        for text in texts
        for name in NAMED.findall(text.read_text(encoding="utf-8"))
        if not (ROOT / name).exists() and name not in NOT_HERE
    }
    assert not missing


def test_blocks_are_found_with_what_the_page_says_of_them(tmp_path: Path) -> None:
    """A block carries its line, its promise and its reason; a promise may leave things open."""
    (tmp_path / "page.md").write_text(
        "# Title\n\n```bash\none\n```\n\n```text\nfirst … line\n```\n"
        "\n<!-- not run: no host -->\n```bash\ntwo\n```\n\ntext\n\n```text\nelse\n```\n"
    )
    one, two = find_blocks(tmp_path / "page.md", tmp_path)
    assert one == Block("page.md", 3, "one\n", "first … line\n", "")
    assert two == Block("page.md", 12, "two\n", "", "no host")
    assert one.prints("before\nfirst and only line\nafter\n")
    assert not one.prints("not the first line\n")
    assert not one.prints("first line\n")
    assert two.prints("anything")
