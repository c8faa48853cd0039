# SPDX-License-Identifier: Apache-2.0
"""Charts as SVG, written by hand: lines over a logarithmic axis, and bars."""

from html import escape
from math import ceil, floor, log2, log10

WIDTH, HEIGHT = 720, 400
LEFT, RIGHT, TOP, BOTTOM = 70, 190, 40, 50
ABREAST = 5  # as many names of bars stand in one line
COLOURS = ("#1b6ca8", "#d1495b", "#66a182", "#edae49", "#5e4b8b", "#8d6a4f")


def lines(
    title: str, x_name: str, y_name: str, series: "dict[str, list[tuple[float, float]]]"
) -> str:
    """Return a chart with a line for each of SERIES, whose points are (x, y), x a power of 2."""
    xs = sorted({x for points in series.values() for x, _ in points})
    top = max((y for points in series.values() for _, y in points), default=1) or 1
    top = _round_up(top)
    span = max(log2(xs[-1]) - log2(xs[0]), 1) if xs else 1

    def place(x: float, y: float) -> "tuple[float, float]":
        across = (log2(x) - log2(xs[0])) / span
        return LEFT + across * (WIDTH - LEFT - RIGHT), _height(y / top)

    parts = _frame(title, x_name, y_name, top)
    for x in xs:
        parts.append(_text(place(x, 0)[0], HEIGHT - BOTTOM + 18, f"{x:g}", "middle"))
    for number, (name, points) in enumerate(series.items()):
        colour = COLOURS[number % len(COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in points))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(WIDTH - RIGHT + 12, TOP + 18 * number, name, "start", colour))
    return _document(parts)


def bars(title: str, y_name: str, values: "dict[str, float]") -> str:
    """Return a chart with a bar for each of VALUES; a negative one is drawn as nothing."""
    top = _round_up(max([*values.values(), 0]) or 1)
    step = (WIDTH - LEFT - 20) / max(len(values), 1)
    parts = _frame(title, "", y_name, top, right=20)
    for number, (name, value) in enumerate(values.items()):
        x, y = LEFT + step * (number + 0.15), _height(max(value, 0) / top)
        size = f'width="{step * 0.7:.1f}" height="{HEIGHT - BOTTOM - y:.1f}"'
        parts.append(f'<rect x="{x:.1f}" y="{y:.1f}" {size} fill="{COLOURS[0]}"/>')
        middle = LEFT + step * (number + 0.5)
        lower = 14 * (number % 2) if len(values) > ABREAST else 0
        parts.append(_text(middle, y - 4, f"{value:.3g}", "middle"))
        parts.append(_text(middle, HEIGHT - BOTTOM + 16 + lower, name, "middle"))
    return _document(parts)


def ratios(title: str, names: "list[str]", rows: "dict[str, dict[str, float]]") -> str:
    """Return a chart with a line of dots for each of ROWS: its ratios, by NAMES, over a logarithm."""
    values = [row[name] for row in rows.values() for name in names if row.get(name, 0) > 0]
    low, high = floor(log10(min([*values, 1]))), ceil(log10(max([*values, 10])))
    left, height = 230, TOP + 22 * len(rows) + BOTTOM

    def place(value: float) -> float:
        return left + (log10(value) - low) / (high - low) * (WIDTH - left - 110)

    parts = [_text(8, 20, title, "start")]
    for power in range(low, high + 1):
        x = place(10.0**power)
        parts.append(f'<path d="M{x:.1f} {TOP}V{height - BOTTOM}" stroke="#ccc"/>')
        parts.append(_text(x, height - BOTTOM + 18, f"{10.0**power:g}", "middle"))
    for number, (line, row) in enumerate(rows.items()):
        y = TOP + 22 * number + 12
        parts.append(_text(left - 8, y + 4, line, "end"))
        for name in names:
            if row.get(name, 0) > 0:
                colour = COLOURS[names.index(name) % len(COLOURS)]
                parts.append(
                    f'<circle cx="{place(row[name]):.1f}" cy="{y}" r="5" fill="{colour}"/>'
                )
    for number, name in enumerate(names):
        colour = COLOURS[number % len(COLOURS)]
        parts.append(_text(WIDTH - 90, TOP + 18 * number + 12, name, "start", colour))
    return _document(parts, height)


def _round_up(value: float) -> float:
    """Return the next number whose quarters are short."""
    unit = 10.0 ** floor(log10(value))
    return next(step * unit for step in (1, 2, 4, 6, 8, 10) if step * unit >= value)


def _height(share: float) -> float:
    return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def _frame(title: str, x_name: str, y_name: str, top: float, right: int = RIGHT) -> "list[str]":
    parts = [_text(LEFT, 20, title, "start"), _text(LEFT, HEIGHT - 6, x_name, "start")]
    parts.append(_text(8, TOP - 8, y_name, "start"))
    for share in (0, 0.25, 0.5, 0.75, 1):
        y = _height(share)
        parts.append(f'<path d="M{LEFT} {y:.1f}H{WIDTH - right}" stroke="#ccc"/>')
        parts.append(_text(LEFT - 6, y + 4, f"{top * share:.3g}", "end"))
    return parts


def _text(x: float, y: float, words: str, anchor: str, colour: str = "#222") -> str:
    place = f'x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}"'
    return f"<text {place}>{escape(words)}</text>"


def _document(parts: "list[str]", height: int = HEIGHT) -> str:
    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {height}"'
    style = 'font-family="sans-serif" font-size="12"'
    paper = f'<rect width="{WIDTH}" height="{height}" fill="white"/>'
    return "\n".join([f"{head} {style}>", paper, *parts, "</svg>"]) + "\n"
