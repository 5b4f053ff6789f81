"""The front of quality against speed, and the points on it worth naming."""

from __future__ import annotations

import math
from collections.abc import Sequence

Point = tuple[float, float]  # (score, lower is better; speed in images/s, higher is better)


def pareto_front(points: Sequence[Point]) -> list[list[int]]:
    """Find the points that no other point beats, fastest first; equal points stand together in one list.

    A point is beaten when another one is at least as good in both and better in one. Equal points are common:
    every cell that stops after one step has the same canvas and the same cost, whatever its gamma.
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

    Score and log speed are scaled to [0, 1] between the ends, so the units do not matter; where no point stands above
    the line, the end with the best score is the answer. After "Kneedle" (Satopää et al. 2011).
    """
    scores = [score for score, _ in front]
    speeds = [math.log(speed) for _, speed in front]

    def gain(i: int) -> tuple[float, float]:
        quality = (max(scores) - scores[i]) / ((max(scores) - min(scores)) or 1.0)
        speed = (speeds[i] - min(speeds)) / ((max(speeds) - min(speeds)) or 1.0)
        return round(quality + speed, 9), -scores[i]

    return max(range(len(front)), key=gain)


def fastest_within(points: Sequence[Point], tolerance: float) -> int:
    """Index of the fastest point whose score is at most (1 + tolerance) × the best; of equally fast ones the best."""
    limit = min(score for score, _ in points) * (1 + tolerance)
    near = [i for i, (score, _) in enumerate(points) if score <= limit]
    return max(near, key=lambda i: (points[i][1], -points[i][0], -i))
