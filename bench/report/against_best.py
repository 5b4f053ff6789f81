"""Difference of every cell from the best one, with its error: shows which cells the test set can distinguish."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.results.cells import Cell
    from bench.results.influences import Influences

DISTINGUISHABLE = 2.0  # standard errors


@dataclass(frozen=True)
class AgainstBest:
    """A cell compared with the best one.

    Attributes:
        cell_id: The cell.
        change: Its score minus that of the best cell; never negative, 0 for the best cell itself.
        change_se: Standard error of the change over images. Both cells decode the same images, so it is smaller than the
            errors of the two scores suggest; None where the run has no influences yet.
    """

    cell_id: str
    change: float
    change_se: float | None

    @property
    def distinguishable(self) -> bool | None:
        """True if the change exceeds two of its standard errors; None if the error is unknown.

        A cell that is not distinguishable is within noise of the best: statistically tied.
        """
        return None if self.change_se is None else self.change > DISTINGUISHABLE * self.change_se


def against_best(cells: Sequence[Cell], best: Cell, influences: Influences | None) -> tuple[AgainstBest, ...]:
    """One entry per cell with a score, in the order of the cells."""
    assert best.score is not None

    def change_se(cell: Cell) -> float | None:
        if influences is None:
            return None
        return influences.se(influences.by_cell[cell.cell_id] - influences.by_cell[best.cell_id])

    return tuple(
        AgainstBest(cell.cell_id, cell.score - best.score, change_se(cell)) for cell in cells if cell.score is not None
    )
