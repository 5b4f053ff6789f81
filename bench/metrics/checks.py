"""Checks of feature sets that every distance needs; each failure is one line."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

MIN_IMAGES = 3
LARGEST = 1e24
"""Largest accepted feature: below it no distance, kernel or influence overflows float64. Trained extractors stay below."""


def checked_features(features: ArrayLike, name: str) -> NDArray[np.float64]:
    """A float64 copy of features (N, D), one row per image.

    Args:
        features: (N, D) real numbers.
        name: Name of the set in messages.

    Raises:
        InputError: Not N × D, fewer than 3 images, a value that is not finite or above 1e24, or the same features for
            every image.
    """
    array = np.asarray(features)
    if array.dtype.kind not in "fiu" or array.ndim != 2:
        raise InputError(f"{name}: expected real numbers of shape (images, features), got {array.dtype} {array.shape}")
    if len(array) < MIN_IMAGES:
        raise InputError(f"{name}: N = {len(array)} images; a distance needs at least {MIN_IMAGES}")
    if array.shape[1] == 0:
        raise InputError(f"{name}: no features per image; check the extractor")
    x = array.astype(np.float64)
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise InputError(
            f"{name}: NaN or infinite in {bad.sum()} of {len(x)} images, first in row {bad.argmax()}; "
            "check the images and the extractor's weights"
        )
    if np.abs(x).max() > LARGEST:
        raise InputError(f"{name}: values too large, up to {np.abs(x).max():.3g}; check the extractor's weights")
    if (x == x[0]).all():
        raise InputError(
            f"{name}: the same for all {len(x)} images, so there is nothing to compare; "
            "check that the images differ and the extractor's weights"
        )
    return x


def require_same_dim(x_dim: int, y_dim: int, x_name: str, y_name: str) -> None:
    """Refuse two sets whose features differ in length.

    Raises:
        InputError: The lengths differ.
    """
    if x_dim != y_dim:
        raise InputError(
            f"{y_name}: {y_dim} features per image, but {x_name} has {x_dim}; compare features of the same extractor"
        )


def require_paired(x_n: int, a_n: int, x_name: str, a_name: str) -> None:
    """Refuse a paired comparison of sets with different numbers of rows; row i of both sets is the same image.

    Raises:
        InputError: The numbers of images differ.
    """
    if x_n != a_n:
        raise InputError(
            f"{x_name}: {x_n} images, but {a_name} has {a_n}; a paired reference needs the original of image i in row i"
        )
