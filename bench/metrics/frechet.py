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

from bench.metrics.checks import checked_features, require_same_dim


@dataclass(frozen=True, eq=False)
class Prepared:
    """One side of a distance: what is worth computing once for a set that meets many others.

    Attributes:
        mean: (D,) float64.
        rows: (N, D) float64, the centred features over √(N − 1); the covariance, normalised by N − 1, is rowsᵀ · rows.
        factor: (min(N, D), D) float64, the smallest factor of the covariance: factorᵀ · factor = rowsᵀ · rows.
            The rows themselves, not a copy, when N < D.
        total_variance: Trace of the covariance.
        n: Number of images.
        name: What messages call the set.
    """

    mean: NDArray[np.float64]
    rows: NDArray[np.float64]
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
        InputError: As `checked_features` does.
    """
    x = checked_features(features, name)
    mean = x.mean(axis=0)
    rows = (x - mean) / np.sqrt(len(x) - 1)
    factor = rows
    if rows.shape[0] >= rows.shape[1]:
        factor = np.linalg.qr(rows, mode="r")
    return Prepared(mean, rows, factor, float(np.vdot(rows, rows)), len(x), name)


def distance(x: Prepared, y: Prepared) -> float:
    """Squared Fréchet distance between two prepared sets, the number that is published as FID; ≥ 0.

    Raises:
        InputError: The sets differ in D.
    """
    return combine(x, y, np.linalg.svd(cross(x, y), compute_uv=False).sum())


def cross(x: Prepared, y: Prepared) -> NDArray[np.float64]:
    """F_x F_yᵀ, whose singular values sum to tr (Σ_x Σ_y)^½; at most D × D.

    Raises:
        InputError: The sets differ in D.
    """
    require_same_dim(x.mean.size, y.mean.size, x.name, y.name)
    return x.factor @ y.factor.T


def combine(x: Prepared, y: Prepared, root_trace: float) -> float:
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
