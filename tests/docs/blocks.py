# SPDX-License-Identifier: Apache-2.0
"""Find the commands in a page of Markdown.

A block of commands is fenced as `bash`. A block `text` right after it is what it prints; `…` stands
for anything there. A comment `<!-- not run: REASON -->` right before it says why it is not run.
"""

import re
from dataclasses import dataclass
from pathlib import Path

FENCE = re.compile(r"```(?P<language>\w*)\n(?P<text>.*?)^```\n", re.DOTALL | re.MULTILINE)
NOT_RUN = re.compile(r"<!-- not run: (?P<reason>.+?) -->\n$")


@dataclass
class Block:
    """Commands of a page, and what the page says of them."""

    page: str
    line: int  # of the fence, counted from 1
    commands: str
    printed: str  # "": the page does not say
    reason: str  # why it is not run; "": it is

    def prints(self, text: str) -> bool:
        """Tell whether `text` is what the page promises, among other lines."""
        wanted = ".*".join(re.escape(part) for part in self.printed.split("…"))
        return re.search(rf"^{wanted}", text, re.DOTALL | re.MULTILINE) is not None


def find_blocks(page: Path, root: Path) -> list[Block]:
    """Return the blocks of commands of `page`, in order."""
    text = page.read_text(encoding="utf-8")
    blocks: list[Block] = []
    end = 0
    for fence in FENCE.finditer(text):
        between = text[end : fence.start()]
        if fence["language"] == "bash":
            why = NOT_RUN.search(between)
            line = text.count("\n", 0, fence.start()) + 1
            name = str(page.relative_to(root))
            blocks.append(Block(name, line, fence["text"], "", why["reason"] if why else ""))
        elif fence["language"] == "text" and blocks and not between.strip():
            blocks[-1].printed = fence["text"]
        end = fence.end()
    return blocks
