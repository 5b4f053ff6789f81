"""The Pareto front and its knee."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from bench.report.pareto import fastest_within, knee, pareto_front

POINTS = st.lists(st.tuples(st.integers(1, 9).map(float), st.integers(1, 9).map(float)), min_size=1, max_size=30)


def beats(a: tuple[float, float], b: tuple[float, float]) -> bool:
    return a[0] <= b[0] and a[1] >= b[1] and a != b


@given(POINTS)
def test_the_front_is_exactly_what_nothing_beats(points: list[tuple[float, float]]) -> None:
    front = pareto_front(points)
    assert sorted(i for equal in front for i in equal) == [
        i for i, point in enumerate(points) if not any(beats(other, point) for other in points)
    ]
    for equal in front:
        assert len({points[i] for i in equal}) == 1
    speeds = [points[equal[0]][1] for equal in front]
    assert speeds == sorted(set(speeds), reverse=True)


@given(POINTS, st.sampled_from([0.0, 1.0, 2.5]))
def test_fastest_within_keeps_its_promise(points: list[tuple[float, float]], tolerance: float) -> None:
    score, speed = points[fastest_within(points, tolerance)]
    limit = tolerance + min(p[0] for p in points)
    assert score <= limit
    assert not any(p[0] <= limit and p[1] > speed for p in points)


def test_knee_is_the_bend_whatever_the_units() -> None:
    front = [(100.0, 64.0), (30.0, 32.0), (25.0, 8.0), (24.0, 2.0)]
    assert knee(front) == 1
    assert knee([(1000 * score, speed / 7) for score, speed in front]) == 1
    assert knee([(20.0, 5.0)]) == 0
    assert knee([(30.0, 10.0), (20.0, 5.0)]) == 1  # nothing between the ends: quality decides
