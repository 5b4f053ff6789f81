"""Write built-in data into folders of the lab layout, atomically."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from maskgit.data.demo.walks import hole_masks
from maskgit.data.pixel_csv import write_csv
from maskgit.errors import InputError
from maskgit.files import write_folder

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from maskgit.data.testset import TestSet


def write_dataset(test_set: TestSet, out: Path) -> None:
    """Write a test set in the lab layout, from which `load_test_set` reads the same arrays again.

    `masked_image/image_000.png`, `mask64/mask_000.png` (one channel, 0 = hole, 255 = known; 64 is the image size),
    `test_gt/image_000.png` and `test_gt.csv`. Numbers are the image ids, of three digits or more.

    Args:
        test_set: What to write.
        out: New or empty folder.

    Raises:
        InputError: `out` is not empty, is a file, or cannot be written; nothing is left behind.
    """
    digits = max(3, len(str(int(test_set.image_ids[-1]))))
    names = [f"{image_id:0{digits}d}.png" for image_id in test_set.image_ids.tolist()]

    def write(folder: Path) -> None:
        _write_images(folder / "masked_image", names, test_set.masked)
        _write_masks(folder / f"mask{test_set.hole.shape[-1]}", names, test_set.hole)
        _write_images(folder / "test_gt", names, test_set.truth)
        write_csv(folder / "test_gt.csv", test_set.truth)

    write_folder(out, write)


def write_masks(out: Path, count: int, size: int = 64, hole_ratio: tuple[float, float] = (0.10, 0.30)) -> None:
    """Write random-walk masks as `mask_000.png` …, one channel, 0 = hole, 255 = known.

    Args:
        out: New or empty folder.
        count: Number of masks, at least 1; mask i depends only on i, size and hole_ratio.
        size: Edge length in pixels.
        hole_ratio: Smallest and largest share of hole pixels.

    Raises:
        InputError: an argument is out of range, or `out` is not empty or cannot be written; nothing is left behind.
    """
    if count < 1 or size < 1:
        raise InputError(f"masks: count and size must be at least 1, got {count} and {size}")
    try:
        hole = hole_masks(np.arange(count, dtype=np.int64), size, hole_ratio)
    except ValueError as error:
        raise InputError(f"masks: {error}") from error
    digits = max(3, len(str(count - 1)))
    write_folder(out, lambda folder: _write_masks(folder, [f"{i:0{digits}d}.png" for i in range(count)], hole))


def _write_images(folder: Path, names: list[str], images: NDArray[np.uint8]) -> None:
    folder.mkdir()
    for name, image in zip(names, images, strict=True):
        Image.fromarray(np.ascontiguousarray(image.transpose(1, 2, 0))).save(folder / f"image_{name}")


def _write_masks(folder: Path, names: list[str], holes: NDArray[np.bool_]) -> None:
    folder.mkdir(exist_ok=True)
    for name, hole in zip(names, holes, strict=True):
        Image.fromarray(np.where(hole, np.uint8(0), np.uint8(255))).save(folder / f"mask_{name}")
