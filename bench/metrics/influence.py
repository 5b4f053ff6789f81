"""Fréchet distance with a standard error: the influence of every image on it, by one singular value decomposition.

**Derivation.** Give image i the weight wᵢ, Σ wᵢ = 1, and let μ(w) = Σ wᵢ xᵢ and Σ(w) = c Σ wᵢ (xᵢ − μ)(xᵢ − μ)ᵀ. The
constant c = n/(n − 1) makes equal weights give the published covariance, over n − 1, and so the published distance. The
influence Iᵢ is the derivative of the distance as weight moves from all images, in proportion, to image i. With centred
rows x̃ᵢ and Δ = μ_x − μ_a, side x contributes, up to a constant,

- from |Δ|²: 2 Δ·x̃ᵢ;
- from tr Σ_x: c |x̃ᵢ|²;
- from −2 tr(Σ_xΣ_a)^½: − n (USUᵀ)ᵢᵢ. The trace is the nuclear norm of C = F_x F_aᵀ = USVᵀ, where F_x = √c W^½ X̃ and
  W = diag(w), and d‖C‖ = tr(VUᵀ dC). In dC only W^½ counts: a shift of the mean adds multiples of √w, and the columns of U
  are orthogonal to √w, because X̃ is centred. At equal weights dW^½ = ½ n dW W^½, so dC = ½ n dW C and
  d‖C‖ = ½ n Σᵢ dwᵢ (USUᵀ)ᵢᵢ.

Together Iᵢ = 2 Δ·x̃ᵢ + c |x̃ᵢ|² − n (USUᵀ)ᵢᵢ, less its mean; side a has −Δ and VSVᵀ. In a *paired* comparison, row i of a
is the original of image i: one weight moves both, and the two influences add up. With a *disjoint* reference the two sets
are independent, and the squared errors add up.

No root of a covariance is differentiated. Shifting weights between images, all above 0, leaves the rank of C as it is (but
for coincidences), so the nuclear norm is smooth in them: the formulas hold for N < D, for duplicate images and for dead
features. For N ≥ D, C is the product of triangular factors (D × D), and the U S^½ of the rows is recovered as F F_aᵀ V S^−½,
with F the centred rows over √(n − 1). Singular values below the numerical rank are left out, which keeps rounding below that
of the largest.

**Errors.** SE = ‖I‖/n, and ‖I_b − I_a‖/n for the difference of two cells over the same images (the infinitesimal jackknife;
Efron 1982, section 6). The sampling unit is the *image with its decoding noise*: every image is decoded with random numbers
of its own, so the error of one seed already contains the spread over seeds. It contains neither the spread over trainings nor
the distance's bias, which falls with N; cells that differ in how noisy they are differ in bias too. Measured
against simulation (results/reference/statistics/jackknife.md), the mean SE is 0.94 to 1.32 of the true spread; too large
where the variance spreads evenly over many directions. ±1.96 SE covers 87 to 99 % instead of 95 %, the least for a
difference of two cells where a few directions hold most of the variance.

**Never a percentile bootstrap of the distance.** A resample of N images holds N(1 − 1/e) = 63 % of them, the rest are copies.
The Fréchet distance is biased upwards, the more the fewer different images there are, and with N < D every resample also
loses 37 % of the covariance's rank. So the replicates scatter around a number well above the one they should surround, and
the interval can exclude the very distance it was made for. The same page shows it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

import numpy as np

from bench.metrics.checks import require_paired
from bench.metrics.estimate import Estimate
from bench.metrics.frechet import FeatureStats, combine, cross, prepare
from bench.metrics.statistics import group_codes

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray


@dataclass(frozen=True, eq=False, kw_only=True)
class FrechetEstimate(Estimate):
    """A Fréchet distance, squared as `bench.metrics.frechet.distance` gives it (≥ 0), with influences and its parts.

    Attributes:
        mean_term: |μ_x − μ_a|².
        covariance_term: value − mean_term.
        rank: Numerical rank of F_x F_aᵀ, the matrix under the root: at most min(N − 1, M − 1, D).
    """

    mean_term: float
    covariance_term: float
    rank: int


def estimate_paired(
    x: ArrayLike | FeatureStats, a: ArrayLike | FeatureStats, groups: ArrayLike | None = None
) -> FrechetEstimate:
    """Fréchet distance of generated images to their own originals, with influences.

    Args:
        x: (N, D) features of the generated images.
        a: (N, D) features of the originals; row i belongs to image i. Prepare them once for many cells.
        groups: (N,) labels, equal for rows of the same image: its seeds, or exact duplicates.

    Raises:
        InputError: As `prepare` and `distance` do, N differs, or fewer than 3 groups.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    require_paired(x.n, a.n, x.name, a.name)
    codes = group_codes(groups, x.n)
    value, mean_term, rank, of_x, of_a = _terms(x, a)
    return FrechetEstimate(
        value=value,
        mean_term=mean_term,
        covariance_term=value - mean_term,
        influence=of_x + of_a,
        n=x.n,
        rank=rank,
        paired=True,
        groups=codes,
    ).checked()


def estimate_disjoint(
    x: ArrayLike | FeatureStats,
    a: ArrayLike | FeatureStats,
    groups: ArrayLike | None = None,
    reference_groups: ArrayLike | None = None,
) -> FrechetEstimate:
    """Fréchet distance of generated images to a reference set independent of them, with influences.

    Args:
        x: (N, D) features of the generated images.
        a: (M, D) features of the reference.
        groups: (N,) labels, equal for rows of the same image: exact duplicates.
        reference_groups: (M,) the same for the reference.

    Raises:
        InputError: As `prepare` and `distance` do, or fewer than 3 groups on a side.
    """
    x, a = _prepared(x, "features"), _prepared(a, "reference")
    codes, reference_codes = group_codes(groups, x.n), group_codes(reference_groups, a.n)
    value, mean_term, rank, of_x, of_a = _terms(x, a)
    return FrechetEstimate(
        value=value,
        mean_term=mean_term,
        covariance_term=value - mean_term,
        influence=of_x,
        n=x.n,
        rank=rank,
        paired=False,
        groups=codes,
        reference_influence=of_a,
        reference_groups=reference_codes,
    ).checked()


def _prepared(features: ArrayLike | FeatureStats, name: str) -> FeatureStats:
    return features if isinstance(features, FeatureStats) else prepare(features, name)


def _terms(x: FeatureStats, a: FeatureStats) -> tuple[float, float, int, NDArray[np.float64], NDArray[np.float64]]:
    """Value, mean term, rank, and the influences of x's and of a's images."""
    c = cross(x, a)
    u, s, vt = np.linalg.svd(c, full_matrices=False)
    value = combine(x, a, s.sum())
    rank = int((s > s[0] * max(c.shape) * np.finfo(np.float64).eps).sum())
    u, s, v = u[:, :rank], s[:rank], vt[:rank].T
    shift = x.mean - a.mean
    of_x = _influence(x, shift, _root(x, u, a, v, s))
    of_a = _influence(a, -shift, _root(a, v, x, u, s))
    return value, float(shift @ shift), rank, of_x, of_a


def _root(
    side: FeatureStats,
    own: NDArray[np.float64],
    other: FeatureStats,
    others: NDArray[np.float64],
    s: NDArray[np.float64],
) -> NDArray[np.float64]:
    """U S^½ (N, rank) of side's N rows, from the singular vectors of the two factors."""
    if side.factor is side.rows:
        return own * np.sqrt(s)
    return side.rows @ (other.factor.T @ (others / np.sqrt(s)))


def _influence(side: FeatureStats, shift: NDArray[np.float64], root: NDArray[np.float64]) -> NDArray[np.float64]:
    """Derivative of the distance with respect to the weight of each of a side's rows, (N,), centred."""
    # side.rows are x̃ᵢ √(c/n), so multiply by √(n − 1) for x̃ᵢ itself, and the squares by n for c |x̃ᵢ|².
    influence = 2.0 * np.sqrt(side.n - 1) * (side.rows @ shift)
    influence += side.n * (np.einsum("ij,ij->i", side.rows, side.rows) - np.einsum("ij,ij->i", root, root))
    return cast("NDArray[np.float64]", influence - influence.mean())
