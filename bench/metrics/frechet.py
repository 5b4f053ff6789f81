"""Fréchet distance between two sets of features, without a matrix square root.

    d²(X, Y) = |μ_x − μ_y|² + tr Σ_x + tr Σ_y − 2 tr (Σ_x Σ_y)^½        (Dowson & Landau 1982; Heusel et al. 2017)

With any factor F of a covariance, Σ = FᵀF, the last trace is the sum of the singular values of F_x F_yᵀ: the
eigenvalues of Σ_x Σ_y are those of (F_x F_yᵀ)(F_x F_yᵀ)ᵀ. For N < D the factor is the centred features over √(N − 1)
(Mathiasen & Hvilshøj 2020, "Backpropagating through Fréchet Inception Distance"). For N ≥ D it is the triangular factor
of their QR decomposition: D × D as an eigen-decomposition of Σ would give, but Σ is never formed, so nothing is lost by
squaring. Everything is float64.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from maskgit.errors import InputError

MIN_IMAGES = 3


@dataclass(frozen=True, eq=False)
class Prepared:
    """One side of a distance: what is worth computing once for a set that meets many others.

    Attributes:
        mean: (D,) float64.
        factor: (min(N, D), D) float64; the covariance, normalised by N − 1, is factorᵀ · factor.
        total_variance: Trace of the covariance.
        n: Number of images.
        name: What messages call the set.
    """

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    total_variance: float
    n: int
    name: str


def prepare(features: ArrayLike, name: str = "features") -> Prepared:
    """Centre and factor a set of features.

    Args:
        features: (N, D) real numbers, one row an image.
        name: What messages call the set.

    Raises:
        InputError: Not N × D, fewer than 3 images, a value that is not finite, or the same features for every image.
    """
    x = _checked(features, name)
    with np.errstate(over="ignore", invalid="ignore"):
        mean = x.mean(axis=0)
        factor = (x - mean) / np.sqrt(len(x) - 1)
        if factor.shape[0] >= factor.shape[1]:
            factor = np.linalg.qr(factor, mode="r")
        total_variance = float(np.vdot(factor, factor))
    if not np.isfinite(total_variance):
        raise _overflow(name)
    return Prepared(mean, factor, total_variance, len(x), name)


def distance(x: Prepared, y: Prepared) -> float:
    """Squared Fréchet distance between two prepared sets, the number that is published as FID; ≥ 0.

    Raises:
        InputError: The sets differ in D, or the features are so large that the distance overflows.
    """
    if x.mean.shape != y.mean.shape:
        raise InputError(
            f"{y.name}: {y.mean.size} features an image, but {x.name} has {x.mean.size}; "
            "compare features of the same extractor"
        )
    root_trace = np.linalg.svd(x.factor @ y.factor.T, compute_uv=False).sum()
    with np.errstate(over="ignore", invalid="ignore"):
        shift = x.mean - y.mean
        value = float(shift @ shift + x.total_variance + y.total_variance - 2.0 * root_trace)
    if not np.isfinite(value):
        raise _overflow(f"{x.name} and {y.name}")
    return max(value, 0.0)  # rounding alone can take the distance of equal sets below 0


def frechet_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Squared Fréchet distance between features x (N, D) and y (M, D); N and M may differ.

    Raises:
        InputError: As `prepare` and `distance` do.
    """
    return distance(prepare(x, "first features"), prepare(y, "second features"))


def _checked(features: ArrayLike, name: str) -> NDArray[np.float64]:
    array = np.asarray(features)
    if array.dtype.kind not in "fiu" or array.ndim != 2:
        raise InputError(f"{name}: expected real numbers of shape (images, features), got {array.dtype} {array.shape}")
    if len(array) < MIN_IMAGES:
        raise InputError(f"{name}: N = {len(array)} images; a Fréchet distance needs at least {MIN_IMAGES}")
    if array.shape[1] == 0:
        raise InputError(f"{name}: no features an image; check the extractor")
    x = array.astype(np.float64)
    bad = ~np.isfinite(x).all(axis=1)
    if bad.any():
        raise InputError(
            f"{name}: NaN or infinite in {bad.sum()} of {len(x)} images, first in row {bad.argmax()}; "
            "check the images and the extractor's weights"
        )
    if (x == x[0]).all():
        raise InputError(
            f"{name}: the same for all {len(x)} images, so there is no covariance; "
            "check that the images differ and the extractor's weights"
        )
    return x


def _overflow(name: str) -> InputError:
    return InputError(f"{name}: values too large for a distance in float64; check the extractor's weights")
