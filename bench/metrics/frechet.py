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
from typing import TYPE_CHECKING

import numpy as np

from bench.metrics.checks import checked_features, require_same_dim
from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False)
class FeatureStats:
    """One side of a distance, prepared once for a set that is compared with many others.

    Attributes:
        mean: (D,) float64.
        rows: (N, D) float64, the centred features over √(N − 1); the covariance, normalised by N − 1, is rowsᵀ · rows.
        factor: (min(N, D), D) float64, the smallest factor of the covariance: factorᵀ · factor = rowsᵀ · rows.
            The rows themselves, not a copy, when N < D.
        total_variance: Trace of the covariance.
        n: Number of images.
        name: Name of the set in messages.
    """

    mean: NDArray[np.float64]
    rows: NDArray[np.float64]
    factor: NDArray[np.float64]
    total_variance: float
    n: int
    name: str


@dataclass(frozen=True, eq=False)
class GaussianStats:
    """A side of a distance whose mean and covariance alone are known; attributes as in `FeatureStats`."""

    mean: NDArray[np.float64]
    factor: NDArray[np.float64]
    total_variance: float
    name: str


def prepare(features: ArrayLike, name: str = "features") -> FeatureStats:
    """Centre and factor a set of features.

    Args:
        features: (N, D) real numbers, one row per image.
        name: Name of the set in messages.

    Raises:
        InputError: As `checked_features` does.
    """
    x = checked_features(features, name)
    mean = x.mean(axis=0)
    rows = (x - mean) / np.sqrt(len(x) - 1)
    factor = rows
    if rows.shape[0] >= rows.shape[1]:
        factor = np.linalg.qr(rows, mode="r")
    return FeatureStats(mean, rows, factor, float(np.vdot(rows, rows)), len(x), name)


def prepare_moments(mean: ArrayLike, covariance: ArrayLike, name: str = "statistics") -> GaussianStats:
    """Factor a covariance.

    Args:
        mean: (D,) real numbers.
        covariance: (D, D), symmetric, no negative eigenvalue beyond rounding.
        name: Name of the set in messages.

    Raises:
        InputError: The shapes do not fit, a value is not finite, or the matrix is not a covariance.
    """
    mu, sigma = np.asarray(mean), np.asarray(covariance)
    if mu.dtype.kind not in "fiu" or sigma.dtype.kind not in "fiu" or mu.ndim != 1 or sigma.shape != 2 * mu.shape:
        raise InputError(f"{name}: expected a mean (D,) and a covariance (D, D), got {mu.shape} and {sigma.shape}")
    mu, sigma = mu.astype(np.float64), sigma.astype(np.float64)
    if not (np.isfinite(mu).all() and np.isfinite(sigma).all()):
        raise InputError(f"{name}: NaN or infinite; make the statistics again")
    largest = np.abs(sigma).max(initial=0.0)
    values, vectors = np.linalg.eigh((sigma + sigma.T) / 2)
    rounding = len(mu) * np.finfo(np.float32).eps * largest  # statistics may have been saved in single precision
    if largest == 0 or np.abs(sigma - sigma.T).max() > rounding or values[0] < -rounding:
        raise InputError(f"{name}: sigma is not a covariance: zero, not symmetric, or with a negative variance")
    return GaussianStats(mu, np.sqrt(values.clip(0))[:, None] * vectors.T, float(np.trace(sigma)), name)


def distance(x: FeatureStats | GaussianStats, y: FeatureStats | GaussianStats) -> float:
    """Squared Fréchet distance between two prepared sets, the number that is published as FID; ≥ 0.

    Raises:
        InputError: The sets differ in D.
    """
    return combine(x, y, np.linalg.svd(cross(x, y), compute_uv=False).sum())


def cross(x: FeatureStats | GaussianStats, y: FeatureStats | GaussianStats) -> NDArray[np.float64]:
    """F_x F_yᵀ, whose singular values sum to tr (Σ_x Σ_y)^½; at most D × D.

    Raises:
        InputError: The sets differ in D.
    """
    require_same_dim(x.mean.size, y.mean.size, x.name, y.name)
    return x.factor @ y.factor.T


def combine(x: FeatureStats | GaussianStats, y: FeatureStats | GaussianStats, root_trace: float) -> float:
    """Squared Fréchet distance from tr (Σ_x Σ_y)^½; ≥ 0."""
    shift = x.mean - y.mean
    value = float(shift @ shift + x.total_variance + y.total_variance - 2.0 * root_trace)
    return max(value, 0.0)  # rounding alone can take the distance of equal sets below 0


def frechet_distance(x: ArrayLike, y: ArrayLike) -> float:
    """Squared Fréchet distance between features x (N, D) and y (M, D); N and M may differ.

    Raises:
        InputError: As `prepare` and `distance` do.
    """
    return distance(prepare(x, "first features"), prepare(y, "second features"))
