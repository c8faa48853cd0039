# SPDX-License-Identifier: Apache-2.0
"""Record commands on this host as an animated SVG: `tools/docs/record.py [--output FILE] COMMANDS`.

COMMANDS is a file with a command a line; `# TEXT` is shown as a comment. Each command runs once, in
turn, by `bash -c`; its output appears when it printed it. The picture needs no script: it is CSS,
which a page that embeds it plays too. Where a command fails, nothing is written.
"""

from __future__ import annotations

import argparse
import html
import platform
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

WIDTH, LINE, MARGIN, BAR = 820, 22, 18, 34
TYPING = 0.035  # seconds a character of a command
PAUSE = 0.9  # seconds between two commands
END = 4.0  # seconds that the last picture stays
RELEASE = platform.release()  # shown without the suffix, which names the kernel's builder

STYLE = """
text { font: 14px ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace; white-space: pre; fill: #eceff1; }
.command { fill: #80cbc4; font-weight: 600; } .comment { fill: #90a4ae; }
.line { opacity: 0; animation: show DURATIONs steps(1, end) infinite; }
@media (prefers-reduced-motion: reduce) { .line { animation: none; opacity: 1; } }
"""


@dataclass
class Line:
    """A line of the terminal, and the second at which it is there."""

    at: float
    text: str
    kind: str  # command, comment or output


def play(commands: list[str]) -> Iterator[Line]:
    """Run COMMANDS and yield the lines of the terminal."""
    now = 0.4
    for command in commands:
        if command.startswith("#"):
            yield Line(now, command, "comment")
            now += PAUSE
            continue
        now += TYPING * len(command)
        yield Line(now, f"$ {command}", "command")
        began = time.monotonic()
        with subprocess.Popen(
            ["bash", "-c", command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            for text in process.stdout or ():
                shown = text.rstrip("\n").replace(RELEASE, RELEASE.partition("-")[0])
                yield Line(now + time.monotonic() - began, shown, "output")
        if process.returncode:
            raise SystemExit(f"record.py: {command}: status {process.returncode}, wanted 0.")
        now += time.monotonic() - began + PAUSE


def picture(lines: list[Line]) -> str:
    """Return the SVG."""
    duration = lines[-1].at + END
    height = BAR + MARGIN + LINE * len(lines)
    rules = [STYLE.replace("DURATION", f"{duration:.2f}")]
    rows = []
    for number, line in enumerate(lines):
        # each line has frames of its own: hidden until its moment, then there until the end
        percent = 100 * line.at / duration
        rules.append(
            f"@keyframes l{number} {{ 0% {{ opacity: 0; }} {percent:.2f}%, 100% {{ opacity: 1; }} }}\n"
            f"#l{number} {{ animation-name: l{number}; }}"
        )
        y = BAR + LINE * (number + 1) - 6
        text = html.escape(line.text)
        rows.append(
            f'<text id="l{number}" class="line {line.kind}" x="{MARGIN}" y="{y}">{text}</text>'
        )
    dots = "".join(
        f'<circle cx="{20 + 20 * i}" cy="17" r="6" fill="{colour}"/>'
        for i, colour in enumerate(("#ef5350", "#ffca28", "#66bb6a"))
    )
    said = html.escape("; ".join(line.text for line in lines if line.kind != "output"))
    return "\n".join(
        [
            f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{said}">',
            "<!-- SPDX-License-Identifier: Apache-2.0 -->",
            f"<title>A terminal</title><style>{''.join(rules)}</style>",
            f'<rect width="{WIDTH}" height="{height}" rx="8" fill="#263238"/>{dots}',
            *rows,
            "</svg>\n",
        ]
    )


def main() -> int:
    """Record, and write."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument("commands", type=Path)
    parser.add_argument("--output", type=Path, default=Path("docs/terminal.svg"))
    options = parser.parse_args()
    commands = [line for line in options.commands.read_text(encoding="utf-8").splitlines() if line]
    text = picture(list(play(commands)))
    options.output.write_text(text, encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
