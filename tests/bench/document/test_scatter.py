"""Plots in characters."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.document.model import Dot, Legend, TextPlot
from bench.document.scatter import BARS, scatter, sparkline

POINTS = st.lists(st.tuples(st.integers(1, 9).map(float), st.integers(1, 9).map(float)), min_size=1, max_size=30)


@given(POINTS)
def test_the_plot_shows_its_points_and_keeps_its_width(points: list[tuple[float, float]]) -> None:
    dots = tuple(Dot(speed, score, "o") for score, speed in points)
    plot = TextPlot("FD", "images/s", dots, lambda y: f"{y:.2f}", Legend(()))
    lines = ["".join(span.text for span in line) for line in scatter(plot, 60, 9)]
    assert max(map(len, lines)) <= 60
    drawn = "".join(lines[:-1])  # the last line holds the unit of the axis
    assert 1 <= drawn.count("o") <= len(set(points))


def test_a_sparkline_rises_with_its_values_and_takes_none() -> None:
    assert sparkline([0, 1, 2, 7], 7) == BARS[0] + BARS[1] + BARS[2] + BARS[7]
    assert sparkline([]) == ""
    assert sparkline([0.0, 0.0]) == BARS[0] * 2
