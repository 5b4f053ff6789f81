"""Search for the folders of a survey that form a masked test set, tried with the reader that a run uses."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from maskgit.data.loading import load_test_set
from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.init.survey import ImageFolder, Survey

TRIED = 4
"""Number of images that each combination is tried with."""
MOST_TRIES = 60
TRAINING = ("train", "val", "valid", "validation", "training")


@dataclass(frozen=True)
class DataGuess:
    """Folders that form a test set.

    Attributes:
        masks, ground_truth, masked_images: As in `[data]`; masked_images is None if no folder holds them.
        side: Height and width of the images in pixels.
        train: Folders that are named like training folders.
        notes: Notes of the reader.
    """

    masks: Path
    ground_truth: Path
    masked_images: Path | None
    side: int
    train: tuple[Path, ...]
    notes: tuple[str, ...]


def guess_test_set(surveyed: Survey) -> tuple[DataGuess | None, str]:
    """The first combination of folders that the reader accepts; those with masked images are tried first.

    Returns:
        The guess, or None with the reason in one line.
    """
    masks = [folder for folder in surveyed.images if folder.holds_masks]
    if not masks:
        return None, "no folder of masks (black and white images, one per test image)"
    candidates = [
        folder for folder in surveyed.images if not folder.holds_masks and not _is_training(folder.path, surveyed.root)
    ]
    truths = [*(folder.path for folder in candidates), *surveyed.csvs]
    if not truths:
        masks_name = _relative(masks[0].path, surveyed)
        return None, f"no ground truth for the masks in {masks_name} (a folder of images, or a CSV)"
    reason = ""
    for number, (mask, truth, masked) in enumerate(_combinations(masks, truths, candidates)):
        if number == MOST_TRIES:
            break
        try:
            test_set = load_test_set(masks=mask, ground_truth=truth, masked_images=masked, limit=TRIED)
        except InputError as error:
            reason = reason or str(error)
            continue
        train = tuple(folder.path for folder in surveyed.images if _is_training(folder.path, surveyed.root))
        return DataGuess(mask, truth, masked, test_set.hole.shape[-1], train, test_set.notes), ""
    return None, reason


def _combinations(
    masks: list[ImageFolder], truths: list[Path], candidates: list[ImageFolder]
) -> Iterator[tuple[Path, Path, Path | None]]:
    """Masks, ground truth and masked images, most likely names first; combinations without masked images last."""
    by_name = sorted(truths, key=lambda path: not any(word in path.name.lower() for word in ("gt", "truth", "orig")))
    inputs = sorted(
        candidates, key=lambda folder: not any(word in folder.path.name.lower() for word in ("mask", "input"))
    )
    for mask in masks:
        for masked in inputs:
            # Masked images and ground truth are two different folders.
            for truth in by_name:
                if truth != masked.path:
                    yield mask.path, truth, masked.path
    for mask in masks:
        for truth in by_name:
            yield mask.path, truth, None


def _is_training(path: Path, root: Path) -> bool:
    return any(part.lower() in TRAINING for part in path.relative_to(root).parts)


def _relative(path: Path, surveyed: Survey) -> str:
    return path.relative_to(surveyed.root).as_posix() or "."
