"""The images that move a cell's score the most."""

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
    """How much one image moves the score of a cell: about what leaving it out would take off.

    Attributes:
        cell_id: The cell.
        image_id: The image.
        influence: In units of the score.
        copy_of: The first image with the same ground truth: itself where no earlier one has it; None: not known.
    """

    cell_id: str
    image_id: int
    influence: float
    copy_of: int | None = None


def most_influential(images: pa.Table, cell_id: str, copy_of: Mapping[int, int]) -> tuple[Influence, ...]:
    """The images of a cell that move its score the most, either way; leaving one out takes about influence / N off."""
    rows = images.filter(pc.equal(images["cell_id"], cell_id)).to_pylist()
    first = sorted(rows, key=lambda row: (-abs(row["influence"]), row["image_id"]))[:SHOWN]
    return tuple(
        Influence(cell_id, row["image_id"], row["influence"] / len(rows), copy_of.get(row["image_id"])) for row in first
    )
