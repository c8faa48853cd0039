# SPDX-License-Identifier: Apache-2.0
"""Look for words and titles that docs/style.md rules out: `python3 tools/docs/words.py [FILE ...]`.

Without files it reads every tracked file that people read: pages, whole; of a decision record the
title alone, since a record stays as it was; of C and Python the header and the string literals of
three words and more, which are messages and help; of Python the docstrings' first paragraphs, too;
shell scripts and YAML whole. In a page, commands and their output, `code` and links are not read.
The exit status is 1 where something is found.
"""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
C = (".c", ".h", ".S")
RECORDS = "docs/decisions/0"
Text = tuple[int, str]
"""The number of a text's first line, and the text."""

WORDS = {
    r"\bnatively\b": "say where: on the host, outside km, without a VM",
    r"\bmend(s|ed|ing)?\b": "fix, repair",
    r"\bkin\b": "similar",
    r"\b(go|goes|going|went|gone) on\b": "continue, resume, happen",
    r"\bbeside\b": "next to, compared with, relative to, together with",
    r"(^|[.:;|] )(Who|Whoever|Whom)\b(?![^.|]*\?)": "name the actor: a user who, a process that",
    r"(^|[.:;|] )(What|Whatever)\b(?![^.|]*\?)": "name the thing: a file that, the part that",
    r"[:;] (who|whoever|what|whatever)\b": "name the actor or the thing",
    r"\b(by|of|for|to|from|with|and|or|when|where|than|if) who(ever|m)?\b": "name the actor",
    r"\b(is|are|was|were) told\b": "name the actor: the installer tells Docker",
    r"\banew\b": "again",
    r"\bsomebody( else)?\b": "name the actor: another user, another program",
}
"""Patterns of a line, whatever their case where they do not begin a sentence, and what to write."""

TITLE = re.compile(r"^#+ (What|Who|Whom|Where|When|How|Why|If|That|It|They|There)\b(?!.*\?$)")
TITLE_ADVICE = "make the title a noun phrase or an imperative"
CODE = re.compile(r"```.*?^```|`[^`\n]*`|\]\([^)]*\)|<[^>\n]*>", re.DOTALL | re.MULTILINE)


HEADER = re.compile(r"/\*.*?\*/", re.DOTALL)
LITERAL = re.compile(r'"(?:[^"\\\n]|\\.)*"')
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def line_of(source: str, match: re.Match[str]) -> int:
    """Return the number of the line where a match begins."""
    return source.count("\n", 0, match.start()) + 1


def blank(match: re.Match[str]) -> str:
    """Return a text of the same lines and columns, without words."""
    return re.sub(r"[^\n]", "~", match[0])


def of_c(source: str) -> tuple[list[Text], list[Text]]:
    """Return a C file's header, and its string literals."""
    header = HEADER.search(source)
    found = [(line_of(source, header), re.sub(r"(?m)^ ?/?\*+ ?", "", header[0]))] if header else []
    return found, [(line_of(source, text), text[0]) for text in LITERAL.finditer(source)]


def of_python(source: str) -> tuple[list[Text], list[Text]]:
    """Return the docstrings of a Python file, a function's to its first blank line; and its strings."""
    documents, strings, seen = [], [], set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node):
            value = node.body[0].value  # type: ignore[attr-defined]
            seen.add(value)
            end = "\0" if isinstance(node, ast.Module) else "\n\n"
            documents.append((value.lineno, value.value.split(end)[0]))
        elif isinstance(node, ast.Constant) and isinstance(node.value, str) and node not in seen:
            strings.append((node.lineno, node.value))
    return documents, strings


def texts(name: str, source: str) -> Iterator[Text]:
    """Yield the texts of a file that people read; of a test's code that is what it documents."""
    interpreter = source.splitlines()[0] if source.startswith("#!") else ""
    if name.endswith(".md"):
        yield 1, CODE.sub(blank, source)
    elif name.endswith((".py", *C)) or "python" in interpreter:
        documents, strings = of_c(source) if name.endswith(C) else of_python(source)
        yield from documents
        if not name.startswith("tests/"):
            yield from (text for text in strings if text[1].count(" ") > 1)
    elif name.endswith((".yml", ".yaml")) or interpreter:
        yield 1, source


def findings(name: str, source: str) -> Iterator[str]:
    """Yield `NAME:LINE: FOUND: ADVICE` for each finding in a file."""
    for first, text in texts(name, source):
        for number, line in enumerate(text.splitlines(), first):
            title = name.endswith(".md") and TITLE.match(line)
            if title:
                yield f"{name}:{number}: {title[0]}: {TITLE_ADVICE}"
            if name.startswith(RECORDS) and not line.startswith("# "):
                continue
            for pattern, advice in WORDS.items():
                flags = 0 if pattern.startswith("(^") else re.IGNORECASE
                for found in re.finditer(pattern, re.sub(r"`[^`]*`", blank, line), flags):
                    yield f"{name}:{number}: {found[0].strip()}: {advice}"


def is_script(file: Path) -> bool:
    """Tell whether a file begins with `#!`."""
    with file.open("rb") as start:
        return start.read(2) == b"#!"


def tracked() -> Iterator[str]:
    """Yield the names of the repository's files of these kinds, scripts of any name included."""
    done = subprocess.run(
        ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
    )
    for name in done.stdout.split("\0"):
        file = ROOT / name
        kind = name.endswith((".md", ".py", ".yml", ".yaml", *C))
        if file.is_file() and not file.is_symlink() and (kind or is_script(file)):
            yield name


def main(names: list[str]) -> int:
    """Print the findings."""
    found = [
        finding
        for name in names or tracked()
        for finding in findings(name, (ROOT / name).read_text(encoding="utf-8"))
    ]
    print(*found, sep="\n", end="\n" if found else "")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
