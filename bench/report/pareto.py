"""The Pareto front of quality against speed, and the points on it worth naming."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.cells import Cell

Point = tuple[float, float]  # (score, lower is better; speed in images/s, higher is better)


@dataclass(frozen=True)
class FrontPoint:
    """A cell that no other beats in both quality and speed.

    Attributes:
        cell_id: The cell.
        score: Its score.
        images_per_s: Its speed.
        roles: Kinds of headlines for this cell.
        equal: Other cells with exactly the same score and speed.
    """

    cell_id: str
    score: float
    images_per_s: float
    roles: tuple[str, ...]
    equal: tuple[str, ...]


def front_of_cells(cells: Sequence[Cell], roles: Sequence[tuple[str, str]]) -> tuple[FrontPoint, ...]:
    """The cells on the front, fastest first.

    Args:
        cells: All cells.
        roles: Pairs of a kind of headline and its cell's id.
    """
    timed = [cell for cell in cells if cell.score is not None and cell.images_per_s]
    points = [(cell.score or 0.0, cell.images_per_s or 0.0) for cell in timed]
    front = []
    for equal in pareto_front(points):
        ids = [timed[i].cell_id for i in equal]
        kinds = tuple(kind for kind, cell_id in roles if cell_id in ids)
        front.append(FrontPoint(ids[0], *points[equal[0]], roles=kinds, equal=tuple(ids[1:])))
    return tuple(front)


def pareto_front(points: Sequence[Point]) -> list[list[int]]:
    """The points that no other point beats, fastest first; equal points share one list.

    A point is beaten when another one is at least as good in both and better in one. Equal points are common:
    every cell that stops after one step has the same canvas and the same cost, independent of its gamma.
    """
    order = sorted(range(len(points)), key=lambda i: (-points[i][1], points[i][0], i))
    front: list[list[int]] = []
    for i in order:
        if front and points[i] == points[front[-1][0]]:
            front[-1].append(i)
        elif not front or points[i][0] < points[front[-1][0]][0]:
            front.append([i])
    return front


def knee(front: Sequence[Point]) -> int:
    """Index of the best trade-off on a front: the point farthest above the line that joins the front's two ends.

    Score and log speed are scaled to [0, 1] between the ends, so the units do not matter; if no point is above the line,
    the result is the end with the best score. After "Kneedle" (Satopää et al. 2011).
    """
    scores = [score for score, _ in front]
    speeds = [math.log(speed) for _, speed in front]

    def gain(i: int) -> tuple[float, float]:
        quality = (max(scores) - scores[i]) / ((max(scores) - min(scores)) or 1.0)
        speed = (speeds[i] - min(speeds)) / ((max(speeds) - min(speeds)) or 1.0)
        return round(quality + speed, 9), -scores[i]

    return max(range(len(front)), key=gain)


def fastest_within(points: Sequence[Point], tolerance: float) -> int:
    """Index of the fastest point whose score is at most `tolerance` above the best; ties go to the better score."""
    limit = min(score for score, _ in points) + tolerance
    near = [i for i, (score, _) in enumerate(points) if score <= limit]
    return max(near, key=lambda i: (points[i][1], -points[i][0], -i))
