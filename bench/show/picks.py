"""Choice of the images of a run to draw, from the numbers in its tables."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from bench.results.folder import RunFolder

IMAGE_COLUMNS = ("cell_id", "image_id", "hole_ratio", "psnr_hole_db", "mae_hole", "influence")


@dataclass(frozen=True)
class Order:
    """An order for --worst: a column of images.parquet, greatest value first, and a heading for the first images."""

    column: str
    words: str


ORDERS = {
    "error": Order("mae_hole", "Images with the largest error in the hole"),
    "influence": Order("influence", "Images that push the score up the most"),
}


@dataclass(frozen=True)
class Images:
    """Images to draw: their ids in order, a heading, and the heading as part of a file name (empty by default)."""

    ids: tuple[int, ...]
    words: str
    tag: str = ""


def image_numbers(run: RunFolder, cell_ids: Sequence[str]) -> dict[str, pd.DataFrame]:
    """Numbers of the images of some cells: for each cell a frame with one row per image, in order of image id.

    Raises:
        InputError: images.parquet is damaged or has another version.
    """
    table = run.table("images", IMAGE_COLUMNS).select(IMAGE_COLUMNS).to_pandas()
    return {cell: table[table.cell_id == cell].set_index("image_id").sort_index() for cell in cell_ids}


def asked_images(numbers: pd.DataFrame, ids: Sequence[int]) -> Images:
    """The images with these ids, each once.

    Raises:
        InputError: An id is unknown.
    """
    known = numbers.index
    chosen = tuple(dict.fromkeys(ids))
    for image_id in chosen:
        if image_id not in known:
            raise InputError(
                f"--image {image_id}: no such image; the run has {len(known)}, give an id from {known[0]} to {known[-1]}"
            )
    return Images(chosen, "Requested images", f"-images-{joined(chosen, 6)}")


def worst_images(numbers: pd.DataFrame, count: int, by: str = "error") -> Images:
    """The first images of an order, worst first; ties go to the smaller id.

    Raises:
        InputError: The order is unknown.
    """
    if by not in ORDERS:
        raise InputError(f"--by {by}: unknown; choose one of {', '.join(ORDERS)}")
    ranked = numbers.sort_values(ORDERS[by].column, ascending=False, kind="stable").index
    return Images(tuple(int(i) for i in ranked[:count]), ORDERS[by].words, f"-worst-{count}-by-{by}")


def typical_images(numbers: pd.DataFrame, count: int = 4) -> Images:
    """Images from easy to hard: sorted by hole error and cut into `count` equal parts, the middle one of each part."""
    ranked = numbers.sort_values("mae_hole", kind="stable").index.to_numpy()
    places = (2 * np.arange(count) + 1) * len(ranked) // (2 * count)
    return Images(tuple(dict.fromkeys(int(i) for i in ranked[places])), "Typical images, from easy to hard")


def joined(names: Sequence[object], most: int) -> str:
    """Names joined for use in a file name: the first `most` of them, and the number of the rest."""
    more = [f"and-{len(names) - most}-more"] if len(names) > most else []
    return "-".join([*map(str, names[:most]), *more])
