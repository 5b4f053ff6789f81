"""Which cells are measured whole."""

from __future__ import annotations

import pytest

from bench.grid.plan import make_plan
from bench.grid.spec import parse_spec
from bench.run.throughput import _spread_over


@pytest.mark.parametrize(
    ("grid", "steps"),
    [
        ({"gamma": ["cosine", "linear"], "total_iter": [8, 12]}, [1, 6, 12]),
        ({"gamma": ["cosine", "linear", "square"], "total_iter": 8, "sweet_spot": [8]}, [8, 8, 8]),
        ({"total_iter": 8, "sweet_spot": [2, 8], "compose": ["none", "paste"]}, [2, 8]),
    ],
)
def test_three_cells_from_the_least_to_the_most_steps_and_no_work_twice(grid: dict, steps: list[int]) -> None:
    spec = parse_spec({"model": {"checkpoint": "m"}, "data": {"dataset": "catfaces"}, "grid": grid}, "test")
    found = _spread_over(make_plan(spec, ("m",)).cells, 3)
    assert [cell.sweet_spot for cell in found] == steps
    assert len({(cell.trajectory, cell.sweet_spot) for cell in found}) == len(steps)
