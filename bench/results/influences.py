"""Influences of the images on the scores of a run: they give errors of means and differences without any features.

Influences are linear in the score: the influence on a mean of scores is the mean of the influences, and the influence on
a difference is their difference (bench.metrics.influence has the derivation).
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
    """Influence of every image of a test set on the primary score of every cell.

    Attributes:
        by_cell: (N,) float64 by cell id, images in order of image id.
        copy_of: (N,) int64, equal for exact copies of one image, which are one sampling unit.
    """

    by_cell: dict[str, NDArray[np.float64]]
    copy_of: NDArray[np.int64]

    def on_mean(self, cell_ids: Sequence[str]) -> NDArray[np.float64]:
        """Influences (N,) on the mean of several cells' scores, for example over seeds."""
        return cast("NDArray[np.float64]", np.mean([self.by_cell[cell_id] for cell_id in cell_ids], axis=0))

    def se(self, influence: NDArray[np.float64]) -> float:
        """Standard error over images of a number with these influences (N,); copies of an image are one unit."""
        return standard_error(influence, self.copy_of)


def read_influences(run: RunFolder) -> Influences:
    """Read the influences of a run from images.parquet and test_set.parquet.

    Raises:
        InputError: A table is missing or damaged, or a cell does not have exactly one influence per image.
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
        raise InputError(f"{run.path / 'images.parquet'}: no rows of cell {lacking[0]}; run again")
    return Influences(by_cell, test_set.copy_of.to_numpy(dtype=np.int64))
