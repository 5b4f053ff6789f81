"""A scatter plot in characters: quality against speed, both better towards the upper right."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

LOG_RANGE = 5.0


@dataclass(frozen=True)
class Dot:
    """A point of the plot: speed x, score y (lower is better, drawn higher), its character and style."""

    x: float
    y: float
    glyph: str
    style: str


Line = list[tuple[str, str]]  # pieces of text, each with its style


def scatter(
    dots: Sequence[Dot], width: int, height: int, show: Callable[[float], str], *, unicode: bool = True
) -> list[Line]:
    """Draw dots, later ones on top, in height + 2 lines of at most width characters.

    An axis over a wide range is logarithmic.
    """
    corner, bar, dash, tick = ("└", "│", "─", "┤") if unicode else ("+", "|", "-", "+")
    xs, ys = [dot.x for dot in dots], [dot.y for dot in dots]
    labels = {0: show(min(ys)), height - 1: show(max(ys))}
    margin = max(map(len, labels.values())) + 1
    columns = width - margin - 2
    canvas = [[(" ", "")] * columns for _ in range(height)]
    for dot in dots:
        column = round(_place(dot.x, xs) * (columns - 1))
        row = round(_place(dot.y, ys) * (height - 1))
        canvas[row][column] = (dot.glyph, dot.style)
    lines = []
    for row, pieces in enumerate(canvas):
        label = labels.get(row, "")
        lines.append([(f"{label:>{margin}}{tick if label else bar}", "dim"), *pieces])
    lines.append([(" " * margin + corner + dash * columns, "dim")])
    low, high = f"{min(xs):.3g}", f"{max(xs):.3g} images/s"
    lines.append([(" " * (margin + 1) + low + high.rjust(columns - len(low)), "dim")])
    return lines


def _place(value: float, values: Sequence[float]) -> float:
    """Where a value stands between the least (0) and the greatest (1) of its axis."""
    low, high = min(values), max(values)
    if low == high:
        return 0.5
    if low > 0 and high / low > LOG_RANGE:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def sparkline(values: Sequence[float], top: float | None = None) -> str:
    """Values as bars between 0 and top (their greatest unless given)."""
    bars = "▁▂▃▄▅▆▇█"
    top = max(values, default=0.0) if top is None else top
    return "".join(bars[min(7, max(0, round(7 * value / top)))] if top > 0 else bars[0] for value in values)
