"""Headlines: the recommended cells at the top of every report."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.document.model import Tone
from bench.document.text import percent, significant
from bench.report import pareto
from bench.results.cells import Cell, Score, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.report.against_best import AgainstBest

TOLERANCE = 0.05


@dataclass(frozen=True)
class Role:
    """Presentation of a kind of headline: title, short label, mark and tone."""

    title: str
    label: str
    mark: str
    tone: Tone


ROLES = {
    "best_quality": Role("Best quality", "best quality", "★", Tone.BEST),
    "tied": Role("Fastest within noise of the best", "fastest within noise of the best", "≈", Tone.TIED),
    "fast_enough": Role(
        f"Fastest within {100 * TOLERANCE:.0f} % of the best",
        f"fastest within {100 * TOLERANCE:.0f} %",
        "▶",
        Tone.FAST,
    ),
    "trade_off": Role("Best trade-off", "best trade-off", "◆", Tone.NOTABLE),
}
"""Kinds of headlines, in the order of reports."""


@dataclass(frozen=True)
class Headline:
    """One recommended cell of the summary.

    Attributes:
        kind: A key of ROLES.
        title: The kind in words.
        cell_id: The cell.
        sentence: Its score, settings and speed.
        change: Its score relative to the best: 0.03 is 3 % worse.
        speedup: Its speed as a ratio to the best cell's.
    """

    kind: str
    title: str
    cell_id: str
    sentence: str
    change: float | None = None
    speedup: float | None = None


def find_headlines(
    cells: Sequence[Cell],
    best: Cell,
    against_best: Sequence[AgainstBest],
    metric: Score,
    varied: Mapping[str, tuple[Any, ...]],
) -> tuple[Headline, ...]:
    """The best cell, the fastest within noise of it, the fastest within 5 %, and the bend of the Pareto front.

    The second is left out if errors are unknown, the last if the front has no bend, and all but the first if speeds are
    unknown.
    """
    describe = _Describe(best, metric, varied)
    first = Headline("best_quality", ROLES["best_quality"].title, best.cell_id, describe.cell(best))
    if not best.images_per_s:
        return (first,)
    timed = [cell for cell in cells if cell.score is not None and cell.images_per_s]
    chosen = {
        "tied": _fastest_tied(timed, against_best),
        "fast_enough": timed[pareto.fastest_within(_points(timed), TOLERANCE)],
        "trade_off": _bend(timed),
    }
    return (first, *(describe.headline(kind, cell) for kind, cell in chosen.items() if cell))


def _fastest_tied(timed: Sequence[Cell], against_best: Sequence[AgainstBest]) -> Cell | None:
    """The fastest cell within noise of the best; ties go to the better score."""
    tied = {entry.cell_id for entry in against_best if entry.distinguishable is False}
    candidates = [cell for cell in timed if cell.cell_id in tied]
    return max(candidates, key=lambda cell: (cell.images_per_s or 0.0, -(cell.score or 0.0)), default=None)


def _bend(timed: Sequence[Cell]) -> Cell | None:
    """The cell at the bend of the Pareto front; None if the front has no bend, so no trade-off to recommend."""
    points = _points(timed)
    front = [equal[0] for equal in pareto.pareto_front(points)]
    bend = pareto.knee([points[i] for i in front])
    return timed[front[bend]] if 0 < bend < len(front) - 1 else None


def _points(timed: Sequence[Cell]) -> list[pareto.Point]:
    return [(cell.score or 0.0, cell.images_per_s or 0.0) for cell in timed]


@dataclass(frozen=True)
class _Describe:
    """Descriptions of cells in comparison with the best one."""

    best: Cell
    metric: Score
    varied: Mapping[str, tuple[Any, ...]]

    def cell(self, cell: Cell) -> str:
        """Score, settings and speed."""
        score = f"{self.metric.column} {self.metric.show(cell.score, cell.score_se)}"
        speed = f" at {significant(cell.images_per_s)} images/s" if cell.images_per_s else ""
        return f"{score} with {settings(cell, dict(self.varied))}{speed}"

    def headline(self, kind: str, cell: Cell) -> Headline:
        """A headline for a cell with a score and a speed, both compared with the best cell's."""
        best_score, score = self.best.score or 0.0, cell.score or 0.0
        change = score / best_score - 1 if best_score > 0 else None
        speedup = (cell.images_per_s or 0.0) / (self.best.images_per_s or 1.0)
        worse = self.metric.show(score - best_score) if change is None else percent(change, sign=True)
        sentence = f"{self.cell(cell)} ({worse}, {significant(speedup)}× the speed)"
        is_best = cell.cell_id == self.best.cell_id
        title = ROLES[kind].title
        return Headline(kind, title, cell.cell_id, "the best cell itself" if is_best else sentence, change, speedup)
