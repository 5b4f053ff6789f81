"""Headlines: the sentence that says which cell to use, and the recommended cells at the top of every report."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf
from typing import TYPE_CHECKING, Any

from bench.document.model import Tone
from bench.document.text import percent, significant
from bench.report import pareto
from bench.results.cells import Cell, Score, settings

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.report.against_best import AgainstBest

TOLERANCE = 0.10
"""Share of the span between one-shot decoding and the rFID floor, which is all that decoding can gain."""


@dataclass(frozen=True)
class Role:
    """Presentation of a kind of headline: title, short label, mark and tone."""

    title: str
    label: str
    mark: str
    tone: Tone


ROLES = {
    "best_quality": Role("Best quality", "best quality", "★", Tone.BEST),
    "tied": Role("Recommended", "recommended", "≈", Tone.TIED),
    "fast_enough": Role(
        f"Fastest within {100 * TOLERANCE:.0f} % of the span from floor to one-shot decoding",
        f"fastest within {100 * TOLERANCE:.0f} % of the span",
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
        comparison: The comparison with the best cell in words; empty for the best cell.
    """

    kind: str
    title: str
    cell_id: str
    sentence: str
    change: float | None = None
    speedup: float | None = None
    comparison: str = ""


@dataclass(frozen=True)
class Answer:
    """Which cell to use.

    Attributes:
        cell_id: The cell: the recommended one, or the best where speeds or errors are unknown.
        sentence: The recommendation, with its reason.
    """

    cell_id: str
    sentence: str


def find_headlines(
    cells: Sequence[Cell],
    best: Cell,
    against_best: Sequence[AgainstBest],
    metric: Score,
    varied: Mapping[str, tuple[Any, ...]],
    span: float | None,
) -> tuple[Headline, ...]:
    """The best cell, the fastest within noise of it, the fastest within a tolerance, and the bend of the Pareto front.

    The second is left out if errors are unknown, and is within the tolerance too if it is known: the confidence set of few
    images holds cells that are much worse. The third is left out without a span, the last if the front has no bend, and all
    but the first if speeds are unknown.

    Args:
        cells: All cells.
        best: The one with the best score.
        against_best: Every scored cell compared with it.
        metric: The score.
        varied: Values of the settings that vary.
        span: Score of one-shot decoding minus the rFID floor; None if unknown or not above 0.
    """
    describe = _Describe(best, metric, varied, {entry.cell_id: entry for entry in against_best})
    first = Headline("best_quality", ROLES["best_quality"].title, best.cell_id, describe.cell(best))
    if not best.images_per_s:
        return (first,)
    timed = [cell for cell in cells if cell.score is not None and cell.images_per_s]
    tolerance = inf if span is None else TOLERANCE * span
    chosen = {
        "tied": _fastest_tied(timed, against_best, tolerance),
        "fast_enough": None if span is None else timed[pareto.fastest_within(_points(timed), tolerance)],
        "trade_off": _bend(timed),
    }
    return (first, *(describe.headline(kind, cell) for kind, cell in chosen.items() if cell))


def find_answer(
    cells: Sequence[Cell], headlines: Sequence[Headline], varied: Mapping[str, tuple[Any, ...]]
) -> Answer | None:
    """The recommendation, the same in every format; None before any cell has a score."""
    if not headlines:
        return None
    by_kind = {headline.kind: headline for headline in headlines}
    best, chosen = by_kind["best_quality"], by_kind.get("tied", by_kind["best_quality"])
    words = settings(next(cell for cell in cells if cell.cell_id == chosen.cell_id), dict(varied))
    if chosen.cell_id != best.cell_id:
        reason = chosen.comparison
    else:
        reason = "the best cell, and the fastest that is as good" if "tied" in by_kind else "the best cell"
    return Answer(chosen.cell_id, f"Use {words}: {reason}.")


def _fastest_tied(timed: Sequence[Cell], against_best: Sequence[AgainstBest], tolerance: float) -> Cell | None:
    """The fastest cell within noise of the best and at most `tolerance` above it; ties go to the better score."""
    tied = {entry.cell_id for entry in against_best if entry.within_noise and entry.change <= tolerance}
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
    against_best: Mapping[str, AgainstBest]

    def cell(self, cell: Cell) -> str:
        """Score, settings and speed."""
        score = f"{self.metric.column} {self.metric.show(cell.score, cell.score_se)}"
        speed = f" at {significant(cell.images_per_s)} images/s" if cell.images_per_s else ""
        return f"{score} with {settings(cell, dict(self.varied))}{speed}"

    def headline(self, kind: str, cell: Cell) -> Headline:
        """A headline for a cell with a score and a speed, both compared with the best cell's."""
        best_score, score, title = self.best.score or 0.0, cell.score or 0.0, ROLES[kind].title
        change = score / best_score - 1 if best_score > 0 else None
        speedup = (cell.images_per_s or 0.0) / (self.best.images_per_s or 1.0)
        if cell.cell_id == self.best.cell_id:
            return Headline(kind, title, cell.cell_id, "the best cell itself", change, speedup)
        comparison = f"{self._quality(cell)}, {significant(speedup)}× as fast"
        sentence = f"{self.cell(cell)} ({comparison})"
        return Headline(kind, title, cell.cell_id, sentence, change, speedup, comparison)

    def _quality(self, cell: Cell) -> str:
        """Difference of a cell's score from the best, and whether it is significant."""
        entry = self.against_best[cell.cell_id]
        if entry.within_noise is None:
            best_score = self.best.score or 0.0
            return percent(entry.change / best_score, sign=True) if best_score > 0 else self.metric.show(entry.change)
        difference = self.metric.show(entry.change, entry.change_se)
        if entry.within_noise:
            return f"within noise of the best cell ({difference})"
        return f"significantly worse than the best cell ({difference})"
