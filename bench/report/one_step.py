"""The best cell compared with the cell that stops after one step: what iterating gains, and what it costs in pixels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc

from bench.metrics.statistics import mean_and_se
from bench.results.cells import AXES, Cell

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pyarrow as pa

    from bench.report.against_best import AgainstBest

SIGNIFICANT = 2.0  # standard errors


@dataclass(frozen=True)
class OneStep:
    """The best cell minus one step.

    Attributes:
        cell_id: The cell that stops after one step, with the best cell's other settings.
        change: Its score minus the best cell's.
        change_se: Standard error over images, paired; None if unknown.
        within_noise: True if it is within noise of the best; None if errors are unknown.
        psnr_db: Best cell's PSNR in the hole minus that of one step, in dB, mean over images; None without ground truth.
        psnr_se: Its standard error over images, paired.
        mae: The same for the mean absolute error in the hole, in grey levels of 255.
        mae_se: Its standard error.
    """

    cell_id: str
    change: float
    change_se: float | None
    within_noise: bool | None
    psnr_db: float | None = None
    psnr_se: float | None = None
    mae: float | None = None
    mae_se: float | None = None

    @property
    def further_from_truth(self) -> bool:
        """True if the best cell is significantly worse in PSNR or in mean absolute error."""
        worse_psnr = self.psnr_db is not None and -self.psnr_db > SIGNIFICANT * (self.psnr_se or 0.0)
        return worse_psnr or (self.mae is not None and self.mae > SIGNIFICANT * (self.mae_se or 0.0))

    @property
    def pixels(self) -> str:
        """The differences of pixel metrics in words."""
        parts = []
        if self.psnr_db is not None:
            parts.append(f"PSNR in the hole {self.psnr_db:+.2f} ± {self.psnr_se:.2f} dB")
        if self.mae is not None:
            parts.append(f"error {self.mae:+.1f} ± {self.mae_se:.2f} of 255 levels")
        return ", ".join(parts)


def compare_with_one_step(
    cells: Sequence[Cell],
    best: Cell,
    against_best: Sequence[AgainstBest],
    images: pa.Table,
    copy_of: Mapping[int, int],
) -> OneStep | None:
    """Compare the best cell with the cell of one step, which may be itself; None if there is none, or if there are only such.

    Args:
        cells: All cells.
        best: The best one.
        against_best: Every scored cell compared with it.
        images: images.parquet.
        copy_of: image_id -> the first image with the same ground truth.
    """
    single = _one_step_of(cells, best)
    if single is None:
        return None
    entry = next(entry for entry in against_best if entry.cell_id == single.cell_id)
    if single is best:
        return OneStep(best.cell_id, 0.0, entry.change_se, entry.within_noise)
    psnr_db, psnr_se = _difference(images, best, single, "psnr_hole_db", copy_of)
    mae, mae_se = _difference(images, best, single, "mae_hole", copy_of)
    return OneStep(single.cell_id, entry.change, entry.change_se, entry.within_noise, psnr_db, psnr_se, mae, mae_se)


def _one_step_of(cells: Sequence[Cell], best: Cell) -> Cell | None:
    """The cell of one step with the best cell's other settings, except the schedule, which does not matter in one step."""
    if all(cell.sweet_spot == 1 for cell in cells if cell.score is not None):
        return None
    if best.sweet_spot == 1:
        return best
    for cell in cells:
        alike = all(cell.settings[axis] == best.settings[axis] for axis in AXES)
        if cell.sweet_spot == 1 and cell.score is not None and alike:
            return cell
    return None


def _difference(
    images: pa.Table, best: Cell, single: Cell, measure: str, copy_of: Mapping[int, int]
) -> tuple[float | None, float | None]:
    """Mean over images of best minus single and its standard error; infinite and missing values are left out."""
    values = {}
    for cell in (best, single):
        rows = images.filter(pc.equal(images["cell_id"], cell.cell_id)) if images.num_rows else images
        values[cell.cell_id] = dict(zip(rows["image_id"].to_pylist(), rows[measure].to_pylist(), strict=True))
    pairs = [(image, value, values[single.cell_id].get(image)) for image, value in values[best.cell_id].items()]
    known = [(image, a - b) for image, a, b in pairs if a is not None and b is not None and np.isfinite(a - b)]
    groups = [copy_of.get(image, image) for image, _ in known]
    if len(set(groups)) < 2:
        return None, None
    return mean_and_se([difference for _, difference in known], groups)
