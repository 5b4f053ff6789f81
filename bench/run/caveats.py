"""Caveats of a run: too few images, copies in the test set, unverified weights."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.audit.copies import Audit
    from bench.features.sources import Source

SMALL_N = 2048  # below pool3's 2,048 dimensions the covariance is singular; FID is usually quoted at 10,000 and more


@dataclass(frozen=True)
class Cleanliness:
    """Counts of an audit for run.json: only exact copies, which are certain.

    Attributes:
        duplicates_in_test: Ground-truth images that repeat an earlier one.
        train_overlap: Ground-truth images that are in a training folder, pixel by pixel. This field and the following
            ones are None if no training folder was given.
        clean_images: The other ground-truth images.
        other_size: Training images of another size, which cannot be exact copies.
        passed_over: Sub-folders of the training folders, which were not searched.
    """

    duplicates_in_test: int
    train_overlap: int | None
    clean_images: int | None
    other_size: int | None = None
    passed_over: int | None = None


def summarise(audit: Audit) -> Cleanliness:
    """Count the copies that an audit found."""
    has_training = bool(audit.folders)
    return Cleanliness(
        audit.n_test - audit.n_distinct,
        int(audit.in_training.sum()) if has_training else None,
        int(audit.clean.sum()) if has_training else None,
        sum(folder.n_images - folder.n_same_size for folder in audit.folders) if has_training else None,
        sum(len(folder.passed_over) for folder in audit.folders) if has_training else None,
    )


def of_extractors(n_images: int, sources: Sequence[Source]) -> list[str]:
    """Caveats of a comparison of `n_images` images with these extractors."""
    texts = []
    for source in sources:
        if source.in_place_of:
            texts.append(
                f"{source.in_place_of} is no longer part of maskbench: {source.name} was used in its place; its distances "
                "compare with none of the earlier extractor."
            )
        if n_images < source.dim:
            texts.append(
                f"{n_images} images are fewer than the {source.dim} dimensions of {source.name}: the covariance is "
                f"singular and the {source.label} is biased upwards; compare it only with the same number of images."
            )
        elif n_images < SMALL_N:
            texts.append(
                f"{n_images} images: the {source.label} is biased upwards; compare it only with the same number."
            )
        if source.part:
            texts.append(
                f"The features {source.name} were computed by the user's own code: the distance compares only with runs of "
                "the same code."
            )
        elif not source.verified:
            texts.append(
                f"The weights of {source.name} are unverified: its distance is not FID and is comparable with no other."
            )
    return texts


def caveats(n_images: int, cleanliness: Cleanliness, sources: Sequence[Source], limited: bool) -> list[str]:
    """Caveats for every report of a run."""
    texts = of_extractors(n_images, sources)
    texts.append(
        "Every image is scored against its own original (paired reference), so scores are lower than against other images "
        "of the same kind; compare them only with scores computed in the same way."
    )
    if cleanliness.duplicates_in_test:
        texts.append(f"{cleanliness.duplicates_in_test} of {n_images} ground-truth images repeat another one exactly.")
    if cleanliness.train_overlap:
        texts.append(
            f"{cleanliness.train_overlap} of {n_images} ground-truth images are in the training folders, pixel by "
            f"pixel: a model trained on these has seen the answers. The other {cleanliness.clean_images} are not; "
            "`maskbench audit` names them and also looks for near-copies."
        )
    if cleanliness.other_size:
        texts.append(
            f"{cleanliness.other_size} training images are of another size than the test images, so an exact copy among "
            "them would not be found; `maskbench audit` looks for near-copies of any size."
        )
    if cleanliness.passed_over:
        texts.append(
            f"{cleanliness.passed_over} sub-folders of the training folders were not searched: name each in data.train."
        )
    if limited:
        texts.append("data.limit is set: only the first images of the test set were used.")
    return texts
