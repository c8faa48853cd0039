# SPDX-License-Identifier: Apache-2.0
"""Make a man page of our Markdown: `python3 -m tools.release.manpage PAGE.1.md VERSION` prints its roff.

A page may use: one `#` title, `##` and `###` headings, paragraphs, fenced blocks, lists with
`-` or `1.`, definitions (a line of terms, then a line that begins with `: `), tables, comments
(dropped), and within a line `**bold**`, `*italic*`, `` `code` ``, `[text](address)`, `<address>`.
The roff is that of man(7) and tbl(1).
"""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

INLINE = re.compile(
    r"`(?P<code>[^`]+)`"
    r"|\*\*(?P<bold>.+?)\*\*"
    r"|\*(?P<italic>[^*]+)\*"
    r"|\[(?P<text>[^]]+)\]\((?P<address>[^)]+)\)"
    r"|<(?P<link>https?://[^>]+)>"
)
PAGE_NAME = re.compile(r"(?P<name>.+)\.(?P<section>[1-8])\.md")


class ManError(Exception):
    """A page that cannot be made; the text says why."""


def escape(text: str) -> str:
    """Return plain text as roff that prints it."""
    return (
        text.replace("\\", r"\e").replace("-", r"\-").replace("'", r"\(aq").replace('"', r"\(dq")
    )


def inline(text: str) -> str:
    """Return a line of Markdown as roff."""
    parts, end = [], 0
    for found in INLINE.finditer(text):
        parts += [escape(text[end : found.start()]), _span(found)]
        end = found.end()
    return "".join([*parts, escape(text[end:])])


def _span(found: "re.Match[str]") -> str:
    if found["code"] or found["bold"]:
        return rf"\fB{escape(found['code'] or found['bold'])}\fR"
    if found["italic"]:
        return rf"\fI{escape(found['italic'])}\fR"
    if found["link"]:
        return escape(found["link"])
    return f"{inline(found['text'])} ({escape(found['address'])})"


def _text(text: str) -> str:
    """Return a line that roff cannot take for a request."""
    roff = inline(text)
    return rf"\&{roff}" if roff.startswith(".") else roff


def _line(line: str, before: str, after: str) -> "Iterator[str]":
    """Convert one line outside fences and tables, given its neighbours."""
    heading = re.match(r"(##+) (.*)", line)
    item = re.match(r" *([-*]|\d+\.) +(.*)", line)
    if heading:
        yield f'.{"SH" if heading[1] == "##" else "SS"} "{inline(heading[2])}"'
    elif item:
        yield '.IP "' + (r"\(bu" if item[1] in "-*" else item[1]) + '" 4'
        yield _text(item[2])
    elif line.startswith(": "):
        yield _text(line[2:])
    elif line:
        if after.startswith(": "):
            yield ".TP"
        elif not before:
            yield '.IP "" 4' if line.startswith("  ") else ".PP"
        yield _text(line.strip())


def _table(rows: "list[str]") -> "Iterator[str]":
    cells = [[cell.strip() for cell in row.strip().strip("|").split("|")] for row in rows]
    body = [row for row in cells if not all(re.fullmatch(":?-+:?", cell) for cell in row)]
    yield from (".PP", ".TS", "l" + "lx" * (len(cells[0]) - 1) + ".")
    for row in body:
        yield "\t".join(f"T{{\n{_text(cell)}\nT}}" for cell in row)
    yield ".TE"


def _body(lines: "list[str]") -> "Iterator[str]":
    fenced = False
    rows: list[str] = []
    for before, line, after in zip(["", *lines], lines, [*lines[1:], ""]):
        if line.startswith("```"):
            fenced = not fenced
            yield from (".PP", ".RS 4", ".EX") if fenced else (".EE", ".RE")
        elif fenced:
            yield r"\&" + escape(line)
        elif line.startswith("|"):
            rows.append(line)
            if not after.startswith("|"):
                yield from _table(rows)
                rows = []
        else:
            yield from _line(line, before, after)


def convert(markdown: str, file_name: str, version: str) -> str:
    """Return the roff of a page whose file is `file_name`, such as `km.1.md`."""
    page = PAGE_NAME.fullmatch(file_name)
    if not page:
        raise ManError(f"{file_name} is not named like a man page, NAME.SECTION.md")
    lines = re.sub(r"<!--.*?-->\n*", "", markdown, flags=re.DOTALL).splitlines()
    if not lines or not lines[0].startswith("# "):
        raise ManError(f"{file_name} does not begin with a title, such as '# km(1)'")
    title = (
        f'.TH "{escape(page["name"].upper())}" {page["section"]} "" "Kontain {version}" "Kontain"'
    )
    return "\n".join(["'\\\" t", title, ".nh", ".ad l", *_body(lines[1:]), ""])


def main() -> int:
    """Print the page that the command line names."""
    source, version = Path(sys.argv[1]), sys.argv[2]
    try:
        print(convert(source.read_text(encoding="utf-8"), source.name, version), end="")
    except (OSError, ManError) as problem:
        print(f"manpage.py: no man page of {source}: {problem}.", file=sys.stderr)
        print(
            "To fix: write the page as the head of tools/release/manpage.py says.", file=sys.stderr
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
