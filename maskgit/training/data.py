"""Training images as arrays: folders and `catfaces`, without test images and duplicates (numpy, no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from maskgit.data.decode import decode
from maskgit.data.dedup import digests, keep_distinct
from maskgit.data.demo import catfaces
from maskgit.data.folders import scan
from maskgit.data.problems import problem_list, short_name
from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from maskgit.training.config import DataRecipe


@dataclass(frozen=True)
class TrainingImages:
    """Images as uint8 (N, 3, H, W): the training set, and validation sets by name ("photographs", "catfaces").

    `counts` has the number of files read, and the number dropped for each reason.
    """

    train: NDArray[np.uint8]
    val: dict[str, NDArray[np.uint8]]
    counts: dict[str, int]


def load_images(recipe: DataRecipe, root: Path, size: int) -> TrainingImages:
    """Read, clean and join the images of a recipe.

    Args:
        recipe: folders and index ranges.
        root: folder that the recipe's folders are relative to.
        size: height and width that every image must have.

    Raises:
        InputError: files cannot be read or have the wrong size, all of them named in one line; a folder cannot be read; or
            there is no training or validation image.
    """
    by_folder = _read_folders([*recipe.exclude_equal_to, *recipe.folders, *recipe.val], root, size)
    test = set(digests(_joined(by_folder, recipe.exclude_equal_to, size)))
    counts = {"excluded_digests": len(test)}
    train: list[NDArray[np.uint8]] = []
    val: dict[str, NDArray[np.uint8]] = {}
    seen = set(test)
    if recipe.folders:
        train.append(_clean(_joined(by_folder, recipe.folders, size), test, counts, "train"))
        seen |= set(digests(train[0]))
    if recipe.val:
        photographs = _clean(_joined(by_folder, recipe.val, size), seen, counts, "val")
        val["photographs"] = photographs[_spread(len(photographs), recipe.val_limit)]
    if recipe.catfaces is not None:
        train.append(_render(recipe.catfaces, size))
        counts["train_catfaces"] = len(train[-1])
    if recipe.catfaces_val is not None:
        val["catfaces"] = _render(recipe.catfaces_val, size)[: recipe.val_limit]
    if not sum(map(len, train)):
        raise InputError("data: no training image; give data.folders or data.catfaces")
    if not sum(map(len, val.values())):
        raise InputError("data: no validation image; give data.val or data.catfaces_val")
    return TrainingImages(np.concatenate(train), {name: images for name, images in val.items() if len(images)}, counts)


def describe(counts: dict[str, int]) -> str:
    """Summarise the cleaning in one line for the log."""
    parts = [f"{counts['train_catfaces']} catfaces"] if "train_catfaces" in counts else []
    parts += [
        f"{part}: {counts[f'{part}_files']} files, {counts[f'{part}_excluded']} equal to a test or training "
        f"image and {counts[f'{part}_duplicates']} duplicates dropped, {counts[f'{part}_kept']} kept"
        for part in ("train", "val")
        if f"{part}_files" in counts
    ]
    return "; ".join(parts)


def _read_folders(folders: list[str], root: Path, size: int) -> dict[str, list[NDArray[np.uint8]]]:
    """Images (3, size, size) by folder, in order of their numbers.

    Raises:
        InputError: problems, file by file, in one line.
    """
    by_folder: dict[str, list[NDArray[np.uint8]]] = {}
    problems: list[str] = []
    for folder in dict.fromkeys(folders):
        by_folder[folder], folder_problems = _read_folder(root / folder, size)
        problems += folder_problems
    if problems:
        raise problem_list(", ".join(str(root / folder) for folder in by_folder), problems)
    return by_folder


def _read_folder(folder: Path, size: int) -> tuple[list[NDArray[np.uint8]], list[str]]:
    """The images of one folder, and problems with single files."""
    files, problems = scan(folder)
    images = []
    for path in files.values():
        try:
            image = decode(path, channels=3)
        except InputError as error:
            problems.append(f"{short_name(path)}: {error}")
            continue
        if image.shape == (3, size, size):
            images.append(image)
        else:
            height, width = image.shape[1:]
            problems.append(f"{short_name(path)}: {width}×{height} pixels, want {size}×{size}")
    return images, problems


def _joined(by_folder: dict[str, list[NDArray[np.uint8]]], folders: list[str], size: int) -> NDArray[np.uint8]:
    images = [image for folder in folders for image in by_folder[folder]]
    return np.stack(images) if images else np.empty((0, 3, size, size), np.uint8)


def _clean(images: NDArray[np.uint8], forbidden: set[str], counts: dict[str, int], part: str) -> NDArray[np.uint8]:
    """Drop images in `forbidden` and duplicates, and count both."""
    kept, duplicates, excluded = keep_distinct(digests(images), forbidden)
    counts |= {
        f"{part}_files": len(images),
        f"{part}_duplicates": duplicates,
        f"{part}_excluded": excluded,
        f"{part}_kept": len(kept),
    }
    return cast("NDArray[np.uint8]", images[kept])


def _render(bounds: list[int], size: int) -> NDArray[np.uint8]:
    first, end = bounds
    if end <= first:
        raise InputError(f"data: catfaces range [{first}, {end}) is empty; the second number is the end")
    images = catfaces.render(np.arange(first, end, dtype=np.int64))
    if images.shape[-1] != size:
        raise InputError(f"data: catfaces are {images.shape[-1]} pixels wide, the model takes {size}; use folders")
    return images


def _spread(count: int, limit: int) -> NDArray[np.int64]:
    """At most `limit` indices, spread evenly over `count`."""
    return np.unique(np.linspace(0, count - 1, min(count, limit)).round().astype(np.int64)) if count else np.arange(0)
