"""The images with the largest influence on a cell's score."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

if TYPE_CHECKING:
    from collections.abc import Mapping

SHOWN = 8


@dataclass(frozen=True)
class Influence:
    """Influence of one image on the score of a cell: about the drop in the score if the image were left out.

    Attributes:
        cell_id: The cell.
        image_id: The image.
        influence: In units of the score.
        copy_of: The first image with the same ground truth; the image itself if it is the first; None: unknown.
    """

    cell_id: str
    image_id: int
    influence: float
    copy_of: int | None = None


def most_influential(images: pa.Table, cell_id: str, copy_of: Mapping[int, int]) -> tuple[Influence, ...]:
    """The images with the largest absolute influence on a cell's score; each adds about influence / N to it."""
    rows = images.filter(pc.equal(images["cell_id"], cell_id)).to_pylist()
    first = sorted(rows, key=lambda row: (-abs(row["influence"]), row["image_id"]))[:SHOWN]
    return tuple(
        Influence(cell_id, row["image_id"], row["influence"] / len(rows), copy_of.get(row["image_id"])) for row in first
    )
