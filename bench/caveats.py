"""What a reader of the numbers must know: too few images, a dirty test set, unverified weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.features.sources import Source
from maskgit.data.dedup import digests
from maskgit.data.folders import numbered_files, read_image
from maskgit.data.testset import TestSet

SMALL_N = 2048  # below pool3's 2,048 dimensions the covariance is singular; FID is usually quoted at 10,000 and more


@dataclass(frozen=True)
class Cleanliness:
    """Exact pixel duplicates: within the ground truth, and between it and the training folders (None: not asked)."""

    duplicates_in_test: int
    train_overlap: int | None


def inspect(test_set: TestSet, train: Sequence[Path]) -> Cleanliness:
    """Count ground-truth images that repeat an earlier one, and those whose pixels equal a training image's."""
    assert test_set.truth is not None
    truth = digests(test_set.truth)
    if not train:
        return Cleanliness(len(truth) - len(set(truth)), None)
    seen = {
        digest
        for folder in train
        for digest in digests(read_image(path, channels=3) for path in numbered_files(folder).values())
    }
    return Cleanliness(len(truth) - len(set(truth)), sum(digest in seen for digest in truth))


def caveats(n_images: int, cleanliness: Cleanliness, sources: Sequence[Source], limited: bool) -> list[str]:
    """Warnings for every report, in plain words."""
    found = []
    for source in sources:
        if n_images < source.dim:
            found.append(
                f"{n_images} images are fewer than the {source.dim} dimensions of {source.name}: the covariance is "
                f"singular and the {source.label} is biased upwards; compare it only at the same number of images."
            )
        elif n_images < SMALL_N:
            found.append(
                f"{n_images} images: the {source.label} is biased upwards; compare it only at the same number."
            )
        if not source.verified:
            found.append(
                f"The weights of {source.name} are unverified: its distance is no FID and compares with no other."
            )
    if cleanliness.duplicates_in_test:
        found.append(f"{cleanliness.duplicates_in_test} of {n_images} ground-truth images repeat another one exactly.")
    if cleanliness.train_overlap:
        found.append(
            f"{cleanliness.train_overlap} of {n_images} ground-truth images stand in the training folders, pixel by "
            "pixel: a model trained on these has seen the answers."
        )
    if limited:
        found.append("data.limit is set: only the first images of the test set were used.")
    return found
