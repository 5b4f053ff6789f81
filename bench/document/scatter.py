"""Plots in characters: a scatter plot with better values higher, and a sparkline."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from bench.document.model import Span, TextPlot, Tone

if TYPE_CHECKING:
    from collections.abc import Sequence

LOG_RANGE = 5.0
BARS = "▁▂▃▄▅▆▇█"


def scatter(plot: TextPlot, width: int, height: int) -> list[list[Span]]:
    """Draw a plot in height + 2 lines of at most width characters; an axis with a wide range is logarithmic."""
    xs, ys = [dot.x for dot in plot.dots], [dot.y for dot in plot.dots]
    labels = {0: plot.show(min(ys)), height - 1: plot.show(max(ys))}
    margin = max(map(len, labels.values())) + 1
    columns = width - margin - 2
    canvas = [[Span(" ")] * columns for _ in range(height)]
    for dot in plot.dots:
        column = round(_position(dot.x, xs) * (columns - 1))
        row = round(_position(dot.y, ys) * (height - 1))
        canvas[row][column] = Span(dot.glyph, tone=dot.tone)
    lines = []
    for row, spans in enumerate(canvas):
        label = labels.get(row, "")
        lines.append([Span(f"{label:>{margin}}{'┤' if label else '│'}", tone=Tone.QUIET), *spans])
    low, high = f"{min(xs):.3g}", f"{max(xs):.3g} {plot.x_unit}"
    lines.append([Span(" " * margin + "└" + "─" * columns, tone=Tone.QUIET)])
    lines.append([Span(" " * (margin + 1) + low + high.rjust(columns - len(low)), tone=Tone.QUIET)])
    return lines


def _position(value: float, values: Sequence[float]) -> float:
    """Position of a value on its axis, from 0 (smallest value) to 1 (largest value)."""
    low, high = min(values), max(values)
    if low == high:
        return 0.5
    if low > 0 and high / low > LOG_RANGE:
        return math.log(value / low) / math.log(high / low)
    return (value - low) / (high - low)


def sparkline(values: Sequence[float], top: float | None = None) -> str:
    """Values as bars between 0 and top (the largest value by default)."""
    top = max(values, default=0.0) if top is None else top
    return "".join(BARS[min(7, max(0, round(7 * value / top)))] if top > 0 else BARS[0] for value in values)
