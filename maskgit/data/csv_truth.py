"""Read the ground truth of a test set from a CSV and match its rows to images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from maskgit.data.checks import same_image
from maskgit.data.pixel_csv import PixelRows, read_csv
from maskgit.data.problems import NAMED, counted
from maskgit.errors import InputError, one_line

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

Images = dict[int, NDArray[np.uint8]]


def read_truth_csv(
    path: Path,
    numbers: Sequence[int],
    limit: int | None,
    size: tuple[int, int],
    masked: Mapping[int, NDArray[np.uint8]] | None,
) -> tuple[Images, list[str]]:
    """Read the original of every image of a test set.

    Rows are matched to images by the index column if there is one, else by position: row i is the image with the
    i-th smallest number.

    Args:
        path: The CSV.
        numbers: The images' numbers, ascending.
        limit: Number of images to read, from the first.
        size: Height and width of the images.
        masked: The masked images by number, which show which row is missing.

    Returns:
        Images uint8 (3, H, W) by number, and notes.

    Raises:
        InputError: as `read_csv`; or rows of the wrong size, or not one row per image.
    """
    height, width = size
    rows = read_csv(path, values=3 * height * width)
    columns = rows.pixels.shape[1]
    if columns != 3 * height * width:
        raise InputError(
            f"{one_line(str(path))}: {columns} columns, want {3 * height * width} = {height}·{width}·3 (height, width, "
            "channel), or one more with the image's number first"
        )
    images = rows.pixels.reshape(-1, height, width, 3).transpose(0, 3, 1, 2)
    row_of, notes = _rows_by_number(path, rows, numbers, images, masked or {})
    chosen = numbers[:limit]
    return {number: np.ascontiguousarray(images[row_of[number]]) for number in chosen}, [*rows.notes, *notes]


def _rows_by_number(
    path: Path,
    rows: PixelRows,
    numbers: Sequence[int],
    images: NDArray[np.uint8],
    masked: Mapping[int, NDArray[np.uint8]],
) -> tuple[dict[int, int], list[str]]:
    """The row of every image, and a note if rows are left over."""
    name = one_line(str(path))
    if rows.numbers is not None and not _running(rows.numbers, len(numbers)):
        row_of = {number: row for row, number in enumerate(rows.numbers)}
        if absent := [number for number in numbers if number not in row_of]:
            raise InputError(f"{name}: no row for {_listed(absent)}, by its first column; add what is missing")
        extra = len(row_of) - len(numbers)
        return row_of, [f"{name}: {counted(extra, 'row')} of images that are not in the test set"] if extra else []
    if len(images) == len(numbers):
        return {number: row for row, number in enumerate(numbers)}, []
    if len(images) > len(numbers) and numbers[-1] < len(images) and masked:
        extra = len(images) - len(numbers)
        note = f"{name}: {len(images)} rows; row i (from 0) is taken for image i, and {extra} are not in the test set"
        return {number: number for number in numbers}, [note]
    lost = _without_row(numbers, images, masked)
    which = f"; by the known pixels, there is none for {_listed(lost)}" if lost else ""
    raise InputError(
        f"{name}: {counted(len(images), 'row')}, but {counted(len(numbers), 'image')}{which}; write one row per image, in "
        "ascending order of the images' numbers, or the image's number into a first column"
    )


def _running(index: Sequence[int], count: int) -> bool:
    """True if an index only counts the rows: 0, 1, 2, … or 1, 2, 3, …, one per image."""
    return len(index) == count and any(list(index) == list(range(start, start + count)) for start in (0, 1))


def _without_row(
    numbers: Sequence[int], images: NDArray[np.uint8], masked: Mapping[int, NDArray[np.uint8]]
) -> list[int]:
    """Images that have no row, found by comparing the ordered rows with the masked images; empty if that is unclear."""
    lost, row = [], 0
    for number in numbers:
        if number not in masked:
            return []
        if row < len(images) and same_image(masked[number], images[row]):
            row += 1
        else:
            lost.append(number)
    return lost if row == len(images) else []


def _listed(numbers: Sequence[int]) -> str:
    some = ", ".join(map(str, numbers[:NAMED]))
    return f"{counted(len(numbers), 'image')}, number {some}{', …' if len(numbers) > NAMED else ''}"
