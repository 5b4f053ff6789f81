"""Kernel distance (KID): the squared maximum mean discrepancy with a cubic kernel, over all images, with its error.

    k(x, y) = (x·y / D + 1)³                                                    (Bińkowski et al. 2018, section 4)

The published procedure averages over random subsets of 1,000 images; below 1,000 images it cannot, and it need not: the
unbiased estimator over all N has the smaller variance.

**Disjoint reference** (Gretton et al. 2012, equation 3), M reference images a independent of the N generated x:

    mean over i ≠ j of k(xᵢ, xⱼ)  +  mean over i ≠ j of k(aᵢ, aⱼ)  −  2 · mean over all i, j of k(xᵢ, aⱼ)

**Paired reference**: aᵢ is the very original of image i. The cross term above then also averages k(xᵢ, aᵢ), of two images
that share most of their pixels. Its expectation is not that of k(x, a) for independent x and a but larger, and the distance
comes out too small by 2 (E k(xᵢ, aᵢ) − E k(x, a)) / N: negative for a perfect model, and the more so the closer the pairs.
So the cross term runs over i ≠ j too (Gretton et al. 2012, lemma 6), which makes the distance a U-statistic of the pairs,

    mean over i ≠ j of h(i, j),   h(i, j) = k(xᵢ, xⱼ) + k(aᵢ, aⱼ) − k(xᵢ, aⱼ) − k(xⱼ, aᵢ)

With groups (seeds or exact duplicates of one image), i ≠ j means *different images*, for the same reason.

**Errors.** Influence of image i: the derivative of the U-statistic with weights with respect to i's weight, 2 (hᵢ − KID)
with hᵢ the mean of h(i, j) over j; SE = ‖I‖/n, the infinitesimal jackknife (as in `bench.metrics.influence`). It counts the
noise within the hᵢ as well, so that SE² is too large on average, by a factor of 2 at most: where there is no difference at
all. A cubic kernel has heavy tails, so ±1.96 SE covers less than 95 % (results/reference/statistics/jackknife.md).
A value, the squared maximum mean discrepancy, can be negative; that is what unbiased means near 0.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.metrics.checks import checked_features, require_paired, require_same_dim
from bench.metrics.estimate import Estimate
from bench.metrics.statistics import MIN_GROUPS, group_codes
from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

CHUNK_ENTRIES = 1 << 22  # of the kernel matrix at a time: 32 MB


@dataclass(frozen=True, eq=False)
class KernelStats:
    """One side of a kernel distance, prepared once for a set that is compared with many others.

    Attributes:
        features: (N, D) float64.
        own: (N,) float64, Σⱼ k(xᵢ, xⱼ) over all j, including i.
        name: Name of the set in messages.
    """

    features: NDArray[np.float64]
    own: NDArray[np.float64]
    name: str


def prepare_kernel(features: ArrayLike, name: str = "features") -> KernelStats:
    """Check a set of features (N, D) and sum its own kernel's rows.

    Raises:
        InputError: As `checked_features` does.
    """
    x = checked_features(features, name)
    return KernelStats(x, _sums(x, x)[0], name)


def kernel_distance_paired(
    x: ArrayLike | KernelStats, a: ArrayLike | KernelStats, groups: ArrayLike | None = None
) -> Estimate:
    """KID of generated images to their own originals, over pairs of different images.

    Args:
        x: (N, D) features of the generated images.
        a: (N, D) features of the originals; row i belongs to image i. Prepare them once for many cells.
        groups: (N,) labels, equal for rows of the same image: its seeds, or exact duplicates.

    Raises:
        InputError: As `prepare_kernel` does, the sets differ in N or D, or fewer than 3 groups.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    n = len(x.features)
    require_paired(n, len(a.features), x.name, a.name)
    codes = group_codes(groups, n)
    sizes = np.bincount(codes)
    if len(sizes) < MIN_GROUPS:
        raise InputError(f"{len(sizes)} different images among {n} rows; a distance needs at least {MIN_GROUPS}")
    n_others = n - sizes[codes]  # rows of other images, for each row
    sums = x.own + a.own - np.add(*_cross_sums(x, a)) - _same_image_sums(x.features, a.features, codes)
    value = float(sums.sum() / n_others.sum())
    influence = 2.0 * n / n_others.sum() * (sums - n_others * value)
    return Estimate(value=value, influence=influence, n=n, paired=True, groups=codes)


def kernel_distance_disjoint(
    x: ArrayLike | KernelStats,
    a: ArrayLike | KernelStats,
    groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
) -> Estimate:
    """KID of generated images to a reference set independent of them; the standard estimator.

    It is unbiased if all images of a set differ. A group (exact duplicates) counts as one image in the error; the value
    is the one that other tools print, so duplicates still raise it.

    Args:
        x: (N, D) features of the generated images.
        a: (M, D) features of the reference.
        groups: (N,) labels, equal for rows of the same image.
        reference_groups: (M,) the same for the reference.

    Raises:
        InputError: As `prepare_kernel` does, or the sets differ in D.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    n, m = len(x.features), len(a.features)
    across_x, across_a = (sums / count for sums, count in zip(_cross_sums(x, a), (m, n), strict=True))
    within_x, within_a = ((s.own - _diagonal(s.features)) / (len(s.features) - 1) for s in (x, a))
    value = float(within_x.mean() + within_a.mean() - 2.0 * across_x.mean())
    of_x, of_a = (2.0 * (h - h.mean()) for h in (within_x - across_x, within_a - across_a))
    return Estimate(
        value=value,
        influence=of_x,
        n=n,
        paired=False,
        groups=group_codes(groups, n),
        reference_influence=of_a,
        reference_groups=group_codes(reference_groups, m),
    )


def _prepared(features: ArrayLike | KernelStats, name: str) -> KernelStats:
    return features if isinstance(features, KernelStats) else prepare_kernel(features, name)


def _kernel(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """k(xᵢ, yⱼ), (N, M)."""
    base = x @ y.T
    base /= x.shape[1]
    base += 1.0
    return base * base * base


def _diagonal(x: NDArray[np.float64]) -> NDArray[np.float64]:
    """k(xᵢ, xᵢ), (N,)."""
    return cast("NDArray[np.float64]", (np.einsum("ij,ij->i", x, x) / x.shape[1] + 1.0) ** 3)


def _cross_sums(x: KernelStats, a: KernelStats) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    require_same_dim(x.features.shape[1], a.features.shape[1], x.name, a.name)
    return _sums(x.features, a.features)


def _sums(x: NDArray[np.float64], y: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Σⱼ k(xᵢ, yⱼ) for each i, (N,), and Σᵢ k(xᵢ, yⱼ) for each j, (M,), some rows of the kernel at a time."""
    chunk = max(1, CHUNK_ENTRIES // len(y))
    rows, columns = np.empty(len(x)), np.zeros(len(y))
    for start in range(0, len(x), chunk):
        block = _kernel(x[start : start + chunk], y)
        rows[start : start + chunk] = block.sum(axis=1)
        columns += block.sum(axis=0)
    return rows, columns


def _same_image_sums(x: NDArray[np.float64], a: NDArray[np.float64], codes: NDArray[np.int64]) -> NDArray[np.float64]:
    """Σⱼ h(i, j) over the rows j of i's own image, including i, (N,)."""
    sums = np.empty(len(x))
    by_image = np.argsort(codes, kind="stable")
    for rows in np.split(by_image, np.bincount(codes).cumsum()[:-1]):
        across = _kernel(x[rows], a[rows])
        sums[rows] = (_kernel(x[rows], x[rows]) + _kernel(a[rows], a[rows]) - across - across.T).sum(axis=1)
    return sums
