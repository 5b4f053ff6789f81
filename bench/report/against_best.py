"""Difference of every cell from the best one, with its error, and the cells that may be the best."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.metrics.multiple_comparisons import CONFIDENCE, compare_with_best

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.cells import Cell
    from bench.results.influences import Influences


@dataclass(frozen=True)
class AgainstBest:
    """A cell compared with the best one.

    Attributes:
        cell_id: The cell.
        change: Its score minus that of the best cell; never negative, 0 for the best cell itself.
        change_se: Standard error of the change over images. Both cells decode the same images, so it is smaller than the
            errors of the two scores suggest; None where the run has no influences yet.
        within_noise: True if the cell is in the confidence set of the best one: statistically tied. False: significantly
            worse. None if errors are unknown.
    """

    cell_id: str
    change: float
    change_se: float | None
    within_noise: bool | None = None


@dataclass(frozen=True)
class Selection:
    """What selecting the lowest of many scores costs (bench.metrics.multiple_comparisons).

    Attributes:
        confidence: Probability that the truly best cell is among those within noise.
        cells: Number of cells compared.
        within_noise: Number of them within noise of the best, including itself.
        critical_value: Standard errors by which the best cell would have to be above another to be left out.
        optimism_low: Lower bound of the expected rise of the best score when that cell is decoded again.
        optimism_high: Upper bound.
    """

    confidence: float
    cells: int
    within_noise: int
    critical_value: float
    optimism_low: float
    optimism_high: float


def against_best(
    cells: Sequence[Cell], best: Cell, influences: Influences | None
) -> tuple[tuple[AgainstBest, ...], Selection | None]:
    """One entry per cell with a score, in the order of the cells, and the cost of selecting; None if errors are unknown."""
    scores = {cell.cell_id: cell.score for cell in cells if cell.score is not None}
    lowest = scores[best.cell_id]
    if influences is None:
        return tuple(AgainstBest(cell_id, score - lowest, None) for cell_id, score in scores.items()), None
    by_cell = np.stack([influences.by_cell[cell_id] for cell_id in scores])
    compared = compare_with_best(list(scores.values()), by_cell, influences.copy_of)
    entries = tuple(
        AgainstBest(cell_id, score - lowest, influences.se(influence - influences.by_cell[best.cell_id]), bool(within))
        for (cell_id, score), influence, within in zip(scores.items(), by_cell, compared.within_noise, strict=True)
    )
    count = sum(bool(entry.within_noise) for entry in entries)
    return entries, Selection(CONFIDENCE, len(entries), count, compared.critical_value, *compared.optimism)
