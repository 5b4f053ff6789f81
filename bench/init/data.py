"""Which folders of a survey make a masked test set: tried with the reader that a run uses."""

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
"""Images that a combination is tried with."""
MOST_TRIES = 60
TRAINING = ("train", "val", "valid", "validation", "training")


@dataclass(frozen=True)
class DataGuess:
    """Folders that make a test set.

    Attributes:
        masks, ground_truth, masked_images: As in `[data]`; masked_images is None where no folder holds them.
        side: Height and width of the images in pixels.
        train: Folders that are called as training folders are.
        notes: How the reader took them.
    """

    masks: Path
    ground_truth: Path
    masked_images: Path | None
    side: int
    train: tuple[Path, ...]
    notes: tuple[str, ...]


def guess_test_set(found: Survey) -> tuple[DataGuess | None, str]:
    """The first combination of folders that the reader takes, one with masked images before one without.

    Returns:
        The guess, and where there is none the reason in one line.
    """
    masks = [folder for folder in found.images if folder.holds_masks]
    if not masks:
        return None, "no folder of masks (black and white images, one per test image)"
    others = [folder for folder in found.images if not folder.holds_masks and not _is_training(folder.path, found.root)]
    truths = [*(folder.path for folder in others), *found.csvs]
    if not truths:
        return None, f"no ground truth for the masks in {_shown(masks[0].path, found)} (a folder of images, or a CSV)"
    reason = ""
    for number, (mask, truth, masked) in enumerate(_combinations(masks, truths, others)):
        if number == MOST_TRIES:
            break
        try:
            test_set = load_test_set(masks=mask, ground_truth=truth, masked_images=masked, limit=TRIED)
        except InputError as error:
            reason = reason or str(error)
            continue
        train = tuple(folder.path for folder in found.images if _is_training(folder.path, found.root))
        return DataGuess(mask, truth, masked, test_set.hole.shape[-1], train, test_set.notes), ""
    return None, reason


def _combinations(
    masks: list[ImageFolder], truths: list[Path], others: list[ImageFolder]
) -> Iterator[tuple[Path, Path, Path | None]]:
    """Masks, ground truth and masked images, the likeliest by their names first; those without masked images last."""
    by_name = sorted(truths, key=lambda path: not any(word in path.name.lower() for word in ("gt", "truth", "orig")))
    inputs = sorted(others, key=lambda folder: not any(word in folder.path.name.lower() for word in ("mask", "input")))
    for mask in masks:
        for masked in inputs:
            # A CSV or a folder of as many images first: it is more often the whole answer.
            for truth in by_name:
                if truth != masked.path:
                    yield mask.path, truth, masked.path
    for mask in masks:
        for truth in by_name:
            yield mask.path, truth, None


def _is_training(path: Path, root: Path) -> bool:
    return any(part.lower() in TRAINING for part in path.relative_to(root).parts)


def _shown(path: Path, found: Survey) -> str:
    return path.relative_to(found.root).as_posix() or "."
