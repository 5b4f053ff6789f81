"""Read images without regard to their numbers: every file of a folder or every row of a CSV, in order."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from maskgit.data.decode import decode
from maskgit.data.folders import listed, skipped_note
from maskgit.data.pixel_csv import read_square_images
from maskgit.data.problems import problem_list, short_name
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

TRUTHS = ("test_gt", "test_gt.csv")
"""Names of the ground truth in a data set folder of the lab layout, by priority."""


def decoded(folder: Path, files: Sequence[Path]) -> Iterator[NDArray[np.uint8]]:
    """Decode the files of a folder one by one: uint8 (3, H, W) each, of any size.

    Raises:
        InputError: after all files were tried: problems, file by file.
    """
    problems = []
    for path in files:
        try:
            image = decode(path, channels=3)
        except InputError as error:
            problems.append(f"{short_name(path)}: {error}")
        else:
            yield image
    if problems:
        raise problem_list(str(folder), problems)


@dataclass(frozen=True, eq=False)
class GroundTruth:
    """The images of a test set without its masks.

    Attributes:
        names: File names, or "row 0" … in a CSV.
        images: uint8, (N, 3, H, W).
        notes: Notes on unusual ways in which they were read.
    """

    names: tuple[str, ...]
    images: NDArray[np.uint8]
    notes: tuple[str, ...]


def read_ground_truth(path: Path) -> GroundTruth:
    """Read the images of a test set without its masks.

    Args:
        path: A folder of RGB images of one size; or a data set folder that holds `test_gt/` or `test_gt.csv`; or a CSV,
            see `maskgit.data.pixel_csv`.

    Raises:
        InputError: problems, file by file.
    """
    truths = [path / name for name in TRUTHS if (path / name).exists()]
    source = truths[0] if truths else path
    return _from_folder(source) if source.is_dir() else _from_csv(source)


def _from_folder(folder: Path) -> GroundTruth:
    files = listed(folder)
    images = list(decoded(folder, files))
    height, width = images[0].shape[1:]
    problems = [
        f"{short_name(path)}: {image.shape[2]}×{image.shape[1]} pixels, the first has {width}×{height}"
        for path, image in zip(files, images, strict=True)
        if image.shape != images[0].shape
    ]
    if problems:
        raise problem_list(str(folder), problems, "a test set has one size; resize or remove these files")
    return GroundTruth(tuple(path.name for path in files), np.stack(images), tuple(skipped_note([folder])))


def _from_csv(path: Path) -> GroundTruth:
    images, rows = read_square_images(path)
    return GroundTruth(tuple(f"row {i}" for i in range(len(images))), images, rows.notes)
