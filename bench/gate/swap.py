"""The paired swap test for a difference of two Fréchet distances over the same images.

**The test.** Image i has features bᵢ in the baseline and cᵢ in the candidate (for every seed). If the candidate does not
differ from the baseline, the two are exchangeable in each pair. So swap bᵢ ↔ cᵢ for a random half of the images, with all
seeds and all exact copies of an image together, and compute the difference of the distances again:

    T(ε) = FD(X_ε, a) − FD(X_−ε, a),      X_ε takes cᵢ where εᵢ = +1, bᵢ where εᵢ = −1;      T(1, …, 1) is the observed one.

p = (1 + #{T(ε) ≥ T(1)}) / (B + 1) over B random ε is one-sided and exact for exchangeable pairs, for any N, D and
distribution of the features (Fisher 1935; Phipson & Smyth 2010 for the + 1). The bias of the distance at small N is the
same on both sides of every swap. Values equal up to rounding count as reached, so equal runs have p = 1.

**Its cost.** Let μ̄ be the mean of both means, F the factor of the reference (bench.metrics.frechet), and
z = F(x − μ̄)/√(N − 1) of each image. Swapping moves the two means by the same amount in opposite directions, so all of T
except the two nuclear norms is a sum over images:

    T(ε) = Σ εᵢwᵢ − 2(‖Z_ε‖ − ‖Z_−ε‖),    wᵢ = 2(cᵢ − bᵢ)·(μ̄ − μ_a)/N + (|cᵢ − μ̄|² − |bᵢ − μ̄|²)/(N − 1).

‖Z_ε‖ = tr H^½ with H = Σ zᵢzᵢᵀ − N m mᵀ over the selected rows, m their mean (the other rows have mean −m): at most N × N.
The gradient of tr H^½ at the midpoint K of both, which no swap changes, gives a prediction that is again a sum:

    T(ε) ≈ Σ εᵢdᵢ,    dᵢ = wᵢ − (z_cᵢᵀ K^−½ z_cᵢ − z_bᵢᵀ K^−½ z_bᵢ).

Both T and the prediction are odd in ε, so their difference is of third order, small compared with the spread of T under
swaps (tools/gate_calibration.py measures it). The prediction costs nothing, and for most swaps it decides on which side of
the observed value they are. The other swaps are evaluated, nearest first, until the next one is farther away than 4 times
the root mean square error of the prediction over those evaluated so far (at least 16). So wherever the comparison is in
doubt, the distance itself is compared. Evaluation ends early once so many swaps reach the observed value that
p > `hopeless` for any outcome of the rest.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.metrics.frechet import FeatureStats

LEAST_EVALUATED = 16
WINDOW = 4.0
ROUNDING = 1e-9  # of the reference's total variance: two values closer than this are equal

Array = NDArray[np.float64]


@dataclass(frozen=True)
class SwapTest:
    """Outcome of a swap test.

    Attributes:
        p: One-sided p-value, (1 + reached) / (permutations + 1): small if the candidate's distance is greater.
        reached: Number of swaps with a difference at least as great as the observed one.
        permutations: B.
        evaluated: Number of swaps whose distance was computed; the prediction settled the others.
        observed: The observed difference, candidate minus baseline, mean over the seeds.
        prediction_error: Root mean square of prediction minus distance over the evaluated swaps, in units of observed.
    """

    p: float
    reached: int
    permutations: int
    evaluated: int
    observed: float
    prediction_error: float


def random_signs(permutations: int, n_groups: int, rng: np.random.Generator) -> NDArray[np.int8]:
    """Random swaps, (permutations, n_groups): −1 if a group of images is swapped, else +1."""
    return 1 - 2 * rng.integers(0, 2, (permutations, n_groups), dtype=np.int8)


def swap_test(
    baseline: Sequence[NDArray[Any]],
    candidate: Sequence[NDArray[Any]],
    reference: FeatureStats,
    groups: NDArray[np.int64],
    signs: NDArray[np.int8],
    hopeless: float = 1.0,
) -> SwapTest:
    """Test whether the candidate's Fréchet distance is greater than the baseline's.

    Args:
        baseline: Features (N, D) of each seed.
        candidate: The same for the candidate, with seeds and images in the same order.
        reference: The originals; row i belongs to image i.
        groups: (N,) group numbers from 0: the exact copies of an image, which are swapped together.
        signs: (B, G), made by `random_signs`.
        hopeless: p-values above this count as 1: evaluation may end once that is certain.
    """
    seeds = [_Seed.of(b, c, reference) for b, c in zip(baseline, candidate, strict=True)]

    def difference(sign: NDArray[Any]) -> float:
        return float(np.mean([seed.difference(sign[groups]) for seed in seeds]))

    by_group = np.bincount(groups, weights=np.mean([seed.slope for seed in seeds], axis=0))
    tally = _Tally(
        observed=difference(np.ones(signs.shape[1])),
        predicted=_in_chunks(signs, by_group),
        slack=ROUNDING * reference.total_variance,
    )
    for swap in tally.nearest_first():
        if tally.is_settled(swap, hopeless):
            break
        tally.record(swap, difference(signs[swap]))
    return tally.outcome()


class _Tally:
    """Count of swaps that reach the observed value: by their prediction until they are evaluated."""

    def __init__(self, observed: float, predicted: Array, slack: float) -> None:
        self.observed, self.predicted, self.slack = observed, predicted, slack
        self.reached = predicted >= observed - slack
        self.is_evaluated = np.zeros(len(predicted), dtype=bool)
        self.n_evaluated, self.squared_errors = 0, 0.0

    def nearest_first(self) -> NDArray[np.int64]:
        """The swaps, ordered by the distance of their prediction from the observed value."""
        return np.argsort(np.abs(self.predicted - self.observed), kind="stable")

    def is_settled(self, swap: int, hopeless: float) -> bool:
        """True if this swap and all later ones are too far away to be in doubt, or p > hopeless for any outcome of them."""
        if self.n_evaluated < LEAST_EVALUATED:
            return False
        window = WINDOW * self.prediction_error + self.slack
        in_doubt = ~self.is_evaluated & (self.predicted < self.observed + window)
        certain = int((self.reached & ~in_doubt).sum())
        is_far = abs(self.predicted[swap] - self.observed) > window
        return bool(is_far) or 1 + certain > hopeless * (len(self.predicted) + 1)

    def record(self, swap: int, value: float) -> None:
        """Replace the prediction of a swap by its distance."""
        self.reached[swap], self.is_evaluated[swap] = value >= self.observed - self.slack, True
        self.squared_errors += (value - self.predicted[swap]) ** 2
        self.n_evaluated += 1

    @property
    def prediction_error(self) -> float:
        """Root mean square error of the prediction over the swaps evaluated so far."""
        return float(np.sqrt(self.squared_errors / self.n_evaluated)) if self.n_evaluated else 0.0

    def outcome(self) -> SwapTest:
        """The test result so far."""
        reached, n_swaps = int(self.reached.sum()), len(self.predicted)
        p = (1 + reached) / (n_swaps + 1)
        return SwapTest(p, reached, n_swaps, self.n_evaluated, self.observed, self.prediction_error)


@dataclass(frozen=True, eq=False)
class _Seed:
    """The pairs of one seed. b, c (N, R): z of baseline and candidate; gram (R, R): Σ bbᵀ + ccᵀ; weight, slope (N,): w, d."""

    b: Array
    c: Array
    gram: Array
    weight: Array
    slope: Array

    @staticmethod
    def of(baseline: NDArray[Any], candidate: NDArray[Any], reference: FeatureStats) -> _Seed:
        b, c = baseline.astype(np.float64), candidate.astype(np.float64)
        N = len(b)
        middle = (b.mean(axis=0) + c.mean(axis=0)) / 2
        weight = 2 * (c - b) @ (middle - reference.mean) / N
        b, c = b - middle, c - middle
        weight += (_squares(c) - _squares(b)) / (N - 1)
        b, c = (side @ reference.factor.T / np.sqrt(N - 1) for side in (b, c))
        gram = b.T @ b + c.T @ c
        values, vectors = np.linalg.eigh(gram / 2)
        kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
        root = vectors[:, kept] * values[kept] ** -0.25
        return _Seed(b, c, gram, weight, weight - (_squares(c @ root) - _squares(b @ root)))

    def difference(self, sign: NDArray[Any]) -> float:
        """T(ε) for signs ±1, one per image."""
        taken = np.where((sign > 0)[:, None], self.c, self.b)
        own, mean = taken.T @ taken, taken.mean(axis=0)
        shift = len(taken) * np.outer(mean, mean)
        ours, others = np.linalg.eigvalsh(np.stack([own - shift, self.gram - own - shift]))
        return float(sign @ self.weight - 2 * (_roots(ours) - _roots(others)))


def _roots(eigenvalues: Array) -> float:
    return float(np.sqrt(eigenvalues.clip(min=0)).sum())


def _squares(rows: Array) -> Array:
    return cast("Array", np.einsum("ij,ij->i", rows, rows))


def _in_chunks(signs: NDArray[Any], weights: NDArray[Any], size: int = 4096) -> Array:
    """Signs @ weights, without converting all signs to float64 at once."""
    return np.concatenate([signs[start : start + size] @ weights for start in range(0, len(signs), size)])
