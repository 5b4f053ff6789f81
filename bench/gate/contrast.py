"""A candidate against a baseline in one cell, before any verdict: scores, the error of their difference, and its tests."""

from __future__ import annotations

from dataclasses import dataclass, replace
from statistics import NormalDist, fmean
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bench.gate.outcome import ChangedImage
from bench.gate.swap import SwapTest, swap_test
from bench.metrics.frechet import FeatureStats, prepare
from bench.metrics.influence import FrechetEstimate, estimate_paired
from bench.metrics.statistics import standard_error

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import ArrayLike, NDArray

MOST_CHANGED = 8  # images listed per cell


@dataclass(frozen=True)
class Contrast:
    """A candidate against a baseline in one cell.

    Attributes:
        baseline_score: Mean over the seeds.
        candidate_score: Mean over the seeds.
        se: Standard error of the difference, over images.
        test: The swap test of being worse; None if z cleared the cell.
        identical: True if all features are equal.
        better_test: The swap test of being better; None if z excludes it.
        changes: (N,) contribution of each image to the difference, up to a constant: its influence over N.
    """

    baseline_score: float
    candidate_score: float
    se: float
    test: SwapTest | None
    identical: bool
    better_test: SwapTest | None = None
    changes: NDArray[np.float64] | None = None

    @property
    def difference(self) -> float:
        """Candidate minus baseline."""
        return self.candidate_score - self.baseline_score

    @property
    def z(self) -> float:
        """The difference in standard errors."""
        return self.difference / self.se if self.se > 0 else 0.0

    @property
    def p_z(self) -> float:
        """One-sided p-value of z."""
        return NormalDist().cdf(-self.z)

    @property
    def p(self) -> float:
        """One-sided p-value; if z cleared the cell, that of z alone."""
        return max(self.test.p if self.test else 0.0, self.p_z)

    @property
    def p_better(self) -> float:
        """One-sided p-value of being better; if z excluded it, that of z alone."""
        return max(self.better_test.p if self.better_test else 0.0, 1 - self.p_z)


def contrast(
    baseline: Sequence[NDArray[Any]],
    candidate: Sequence[NDArray[Any]],
    reference: FeatureStats,
    groups: NDArray[np.int64],
    signs: NDArray[np.int8],
    alpha: float,
) -> Contrast:
    """Compare the features (N, D) of a cell's seeds on both sides with the originals' features, in the same order."""
    ours = [estimate_paired(prepare(rows, "features of the baseline"), reference) for rows in baseline]
    theirs = [estimate_paired(prepare(rows, "features of the candidate"), reference) for rows in candidate]
    influence = _mean_influence(theirs) - _mean_influence(ours)
    se = standard_error(influence, groups)
    before, after = (fmean(estimate.value for estimate in side) for side in (ours, theirs))
    identical = all(np.array_equal(b, c) for b, c in zip(baseline, candidate, strict=True))
    result = Contrast(before, after, se, None, identical, changes=influence / len(influence))
    if result.p_z <= alpha:
        test = swap_test(baseline, candidate, reference, groups, signs, hopeless=alpha)
        return replace(result, test=test)
    if 1 - result.p_z <= alpha:
        test = swap_test(candidate, baseline, reference, groups, signs, hopeless=alpha)
        return replace(result, better_test=test)
    return result


def _mean_influence(estimates: Sequence[FrechetEstimate]) -> NDArray[np.float64]:
    return cast("NDArray[np.float64]", np.mean([estimate.influence for estimate in estimates], axis=0))


def most_changed(measured: Contrast, image_ids: ArrayLike) -> tuple[ChangedImage, ...]:
    """The images with the greatest contributions to the difference, by size; none if nothing differs.

    Args:
        measured: The contrast of a cell.
        image_ids: (N,) ids of the images in the order of the features.
    """
    if measured.changes is None or measured.identical:
        return ()
    ids = np.asarray(image_ids)
    order = np.argsort(-np.abs(measured.changes), kind="stable")[:MOST_CHANGED]
    return tuple(ChangedImage(int(ids[i]), float(measured.changes[i])) for i in order)
