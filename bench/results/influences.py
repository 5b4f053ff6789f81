"""The images' influences on the scores of a run: errors of means and differences of scores, with no features at hand.

A score's influences add up as the score does: those on a mean of cells' scores are the mean of theirs, those on a
difference the difference (bench.metrics.influence has where they come from).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.metrics.statistics import standard_error
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from bench.results.folder import RunFolder

IMAGE_COLUMNS = ("cell_id", "image_id", "influence")
TEST_SET_COLUMNS = ("image_id", "copy_of")


@dataclass(frozen=True, eq=False)
class Influences:
    """How every image of a test set moves the primary score of every cell.

    Attributes:
        by_cell: (N,) float64 by cell id, images in order of image id.
        copy_of: (N,) int64, equal for exact copies of one picture, which are one sampling unit.
    """

    by_cell: dict[str, NDArray[np.float64]]
    copy_of: NDArray[np.int64]

    def on_mean(self, cell_ids: Sequence[str]) -> NDArray[np.float64]:
        """Influences (N,) on the mean of some cells' scores (a setting's seeds, say)."""
        return cast("NDArray[np.float64]", np.mean([self.by_cell[cell_id] for cell_id in cell_ids], axis=0))

    def se(self, influence: NDArray[np.float64]) -> float:
        """Standard error over images of a number with these influences (N,), copies of a picture taken together."""
        return standard_error(influence, self.copy_of)


def read_influences(run: RunFolder) -> Influences:
    """Read the influences of a run from images.parquet and test_set.parquet.

    Raises:
        InputError: A table is missing or damaged, or a cell has not exactly one influence an image.
    """
    test_set = run.table("test_set", TEST_SET_COLUMNS).to_pandas().sort_values("image_id")
    images = run.table("images", IMAGE_COLUMNS).select(IMAGE_COLUMNS).to_pandas().sort_values("image_id")
    by_cell = {}
    for cell_id, rows in images.groupby("cell_id", sort=False):
        if not np.array_equal(rows.image_id, test_set.image_id):
            raise InputError(
                f"{run.path / 'images.parquet'}: cell {cell_id} has other images than test_set.parquet; run again"
            )
        by_cell[str(cell_id)] = rows.influence.to_numpy(dtype=np.float64)
    lacking = [i for i in run.table("cells", ("cell_id",))["cell_id"].to_pylist() if i not in by_cell]
    if lacking:
        raise InputError(f"{run.path / 'images.parquet'}: nothing of cell {lacking[0]}; run again")
    return Influences(by_cell, test_set.copy_of.to_numpy(dtype=np.int64))
