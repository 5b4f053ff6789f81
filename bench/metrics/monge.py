"""Monge Inception Distance (MIND): the sliced 2-Wasserstein distance, with the influence of every image.

    MIND = 3 D · mean over directions u of W₂²(uᵀX, uᵀA)          (Berthet et al. 2026, arXiv:2605.06797)

D is the number of features. The directions are unit vectors, the same for every comparison: drawn once, as torch-fidelity
draws them (`torch.randn` with its seed 2020), so that the two print the same number for sets of equal size. W₂² in one
dimension is the mean squared difference of the sorted projections. For sets of different sizes it is that of the two
quantile functions, exactly; torch-fidelity drops images of the larger set instead. On features other than FID's own the
same number is called SW2.

**Influence.** Moving weight to a point x changes W₂² of two distributions on a line by the potential φ(x) of the transport
(Santambrogio 2015, proposition 7.17), φ' = 2 (x − T(x)), where T(x) is the point that x is matched with. Between two
neighbours of a sample any slope from 2 (x̄ − T₊) to 2 (x̄ − T₋) is a derivative in one direction; this module takes the
middle. Averaged over the directions and multiplied by 3 D, that is the influence; in a paired comparison that of an image
is the sum of its own and its original's. SE = ‖I‖/n, as for the Fréchet distance (`bench.metrics.influence`).

**Limits.** A value is too large for few images, like FID, and where two independent sets hardly differ the error is too
large as well. docs/what-747-images-can-show.md has both, measured by tools/small_samples.py.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.metrics.checks import checked_features, require_paired, require_same_dim
from bench.metrics.estimate import Estimate
from bench.metrics.statistics import group_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

N_DIRECTIONS = 1000
SEED = 2020


@dataclass(frozen=True, eq=False)
class ProjectedSet:
    """One side of a distance, projected and sorted once for a set that is compared with many others.

    Attributes:
        values: (K, N) float64, the projections on K directions in ascending order.
        rows: (K, N) int64, the image of each.
        dim: Number of features D.
        name: Name of the set in messages.
    """

    values: NDArray[np.float64]
    rows: NDArray[np.int64]
    dim: int
    name: str

    @property
    def n(self) -> int:
        """Number of images."""
        return int(self.values.shape[1])


@lru_cache(maxsize=4)
def directions(dim: int) -> NDArray[np.float64]:
    """The unit vectors (K, D) for features of length D."""
    import torch  # here, because the other metrics need none

    generator = torch.Generator().manual_seed(SEED)
    vectors = torch.randn(N_DIRECTIONS, dim, generator=generator, dtype=torch.float32).numpy().astype(np.float64)
    return cast("NDArray[np.float64]", vectors / np.linalg.norm(vectors, axis=1, keepdims=True))


def project(features: ArrayLike, name: str = "features") -> ProjectedSet:
    """Project and sort a set of features (N, D).

    Raises:
        InputError: As `checked_features` does.
    """
    x = checked_features(features, name)
    values = directions(x.shape[1]) @ x.T
    rows = values.argsort(axis=1, kind="stable")
    return ProjectedSet(np.take_along_axis(values, rows, axis=1), rows, x.shape[1], name)


def monge_distance_paired(
    x: ArrayLike | ProjectedSet, a: ArrayLike | ProjectedSet, groups: ArrayLike | None = None
) -> Estimate:
    """MIND of generated images to their own originals.

    Args:
        x: (N, D) features of the generated images.
        a: (N, D) features of the originals; row i belongs to image i. Prepare them once for many cells.
        groups: (N,) labels, equal for rows of the same image: its seeds, or exact duplicates.

    Raises:
        InputError: As `project` does, the sets differ in N or D, or fewer than 3 groups.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    require_paired(x.n, a.n, x.name, a.name)
    codes = group_codes(groups, x.n)
    value, of_x, of_a = _terms(x, a)
    return Estimate(value=value, influence=of_x + of_a, n=x.n, paired=True, groups=codes).checked()


def monge_distance_disjoint(
    x: ArrayLike | ProjectedSet,
    a: ArrayLike | ProjectedSet,
    groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
) -> Estimate:
    """MIND of generated images to a reference set independent of them.

    Args:
        x: (N, D) features of the generated images.
        a: (M, D) features of the reference.
        groups: (N,) labels, equal for rows of the same image: exact duplicates.
        reference_groups: (M,) the same for the reference.

    Raises:
        InputError: As `project` does, the sets differ in D, or fewer than 3 groups on a side.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    codes, reference_codes = group_codes(groups, x.n), group_codes(reference_groups, a.n)
    value, of_x, of_a = _terms(x, a)
    return Estimate(
        value=value,
        influence=of_x,
        n=x.n,
        paired=False,
        groups=codes,
        reference_influence=of_a,
        reference_groups=reference_codes,
    ).checked()


def _prepared(features: ArrayLike | ProjectedSet, name: str) -> ProjectedSet:
    return features if isinstance(features, ProjectedSet) else project(features, name)


def _terms(x: ProjectedSet, a: ProjectedSet) -> tuple[float, NDArray[np.float64], NDArray[np.float64]]:
    """Value, and the influences of x's and of a's images."""
    require_same_dim(x.dim, a.dim, x.name, a.name)
    scale = 3.0 * x.dim
    return scale * _mean_square(x, a), scale * _potential(x, a), scale * _potential(a, x)


def _mean_square(x: ProjectedSet, a: ProjectedSet) -> float:
    """W₂² between the two quantile functions, averaged over the directions; they are steps of 1/N and of 1/M."""
    edges = np.union1d(np.arange(x.n + 1) * a.n, np.arange(a.n + 1) * x.n)  # in units of 1/(N M)
    difference = x.values[:, edges[:-1] // a.n] - a.values[:, edges[:-1] // x.n]
    return float((difference**2 @ np.diff(edges)).mean()) / (x.n * a.n)


def _potential(x: ProjectedSet, a: ProjectedSet) -> NDArray[np.float64]:
    """The potential of each of x's images, (N,), averaged over the directions and centred."""
    k = np.arange(1, x.n)
    matched = a.values[:, (k * a.n - 1) // x.n] + a.values[:, k * a.n // x.n]  # just below and above the quantile k/N
    below, above = x.values[:, :-1], x.values[:, 1:]
    steps = (above - below) * (above + below - matched)
    potential = np.concatenate([np.zeros((len(steps), 1)), steps.cumsum(axis=1)], axis=1)
    mean = np.bincount(x.rows.ravel(), weights=potential.ravel(), minlength=x.n) / len(steps)
    return cast("NDArray[np.float64]", mean - mean.mean())
