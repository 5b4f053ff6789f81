"""The decision: one verdict per cell, from two comparable sides.

For every cell, in this order:

1. Scores, their difference Δ (candidate minus baseline, mean over seeds) and its jackknife error: SE = ‖I_c − I_b‖/n, where
   influences are first averaged over seeds and summed over exact copies of an image (bench.metrics.influence). z = Δ/SE.
2. p = max(p_swap, Φ(−z)), where p_swap comes from the swap test (bench.gate.swap). Each test covers a weakness of the other.
   The swap test is exact at any N if candidate and baseline have the same kind of errors. But it can call a candidate worse
   that is equally far from the originals with errors of another kind (blur instead of noise, for example), because mixing
   the two sides adds spread. z allows for that, but is valid only for large N. A cell is significant if both tests agree.
3. So if Φ(−z) > α, no swap can make the cell significant, and none is tried: z clears the cell without loss. And no z,
   however large, fails a cell without the swap test.
4. Holm's correction over all gated cells (Holm 1979): the chance that a candidate equal to its baseline fails in any
   cell is at most α.
5. A cell fails if its corrected p ≤ α *and* Δ is beyond the tolerance, or if it breaks a hard limit. The tolerance is a share
   of the baseline's score. Significant within tolerance passes with a note; beyond tolerance without significance is
   inconclusive.

The number of permutations B: after Holm, the smallest p-value must reach α/m over m cells, so with a fixed B a large grid
could never fail. "auto" uses max(999, ⌈20 m/α⌉ − 1), which is 20 expected swaps beyond the strictest threshold, and at most
a million.

The smallest detectable rise is (Φ⁻¹(1 − α/m) + Φ⁻¹(0.8)) SE. It is detected four times in five for a normal z, and 72 to
77 % of the time in simulation (results/reference/statistics/gate.md), since the error itself is estimated. SE does not
include training variance: the gate compares two sets of weights, not two recipes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from math import ceil
from statistics import NormalDist, fmean, median
from typing import TYPE_CHECKING, Any, cast

import numpy as np

from bench.document.text import percent, significant
from bench.errors import NotComparableError
from bench.gate.comparable import Pair, extra_cells, pair_cells, require_same_truth
from bench.gate.outcome import FAIL, INCONCLUSIVE, NOTED, PASS, SUSPICIOUS, CellOutcome, GateOutcome
from bench.gate.swap import SwapTest, random_signs, swap_test
from bench.metrics.frechet import FeatureStats, prepare
from bench.metrics.influence import FrechetEstimate, estimate_paired
from bench.metrics.statistics import group_codes, holm, standard_error
from bench.results.finished_run import FinishedRun, features, truth
from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.grid.sections import GateSection

POWER = 0.8
LEAST_PERMUTATIONS, MOST_PERMUTATIONS = 999, 1_000_000
BEYOND_THRESHOLD = 20  # swaps expected beyond the strictest of Holm's thresholds
SIGNS_SEED = 747  # the same swaps every time, so that a gate is reproducible
BATCH = 32  # cells whose features are in memory at a time

Progress = Callable[[int, int], None]
"""Callback with the number of finished cells and of all cells."""


@dataclass(frozen=True)
class Contrast:
    """A candidate against a baseline in one cell, before any verdict."""

    baseline_score: float
    candidate_score: float
    se: float
    test: SwapTest | None
    identical: bool

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


def decide(
    candidate: FinishedRun, baseline: FinishedRun, rules: GateSection, rules_from: str, progress: Progress | None = None
) -> GateOutcome:
    """Gate a candidate.

    Args:
        candidate: The run.
        baseline: The run it is compared with.
        rules: The settings.
        rules_from: Origin of the settings, for reports.
        progress: Called after every cell.

    Raises:
        InputError: A cell is unknown, or there are too few permutations for any cell to fail.
        NotComparableError: The sides differ in what they measure.
    """
    start = time.perf_counter()
    pairs = pair_cells(candidate, baseline, rules.cells)
    speeds = [throughput_ratio(pair, candidate, baseline, rules) for pair in pairs]
    originals = truth(candidate)
    require_same_truth(candidate, baseline, originals, truth(baseline))
    groups = group_codes(candidate.images.copy_of, len(candidate.images))
    n_groups = int(groups.max()) + 1
    signs = random_signs(count_permutations(rules, len(pairs)), n_groups, np.random.default_rng(SIGNS_SEED))
    contrasts: list[Contrast] = []
    reference = prepare(originals, "originals")
    for seeds in _features(pairs, candidate, baseline):
        contrasts.append(contrast(*seeds, reference, groups, signs, rules.alpha))
        if progress:
            progress(len(contrasts), len(pairs))
    adjusted = holm([entry.p for entry in contrasts])
    same_weights = all(
        candidate.weights[theirs.cell.trajectory.checkpoint] == baseline.weights[ours.cell.trajectory.checkpoint]
        for pair in pairs
        for theirs, ours in zip(pair.candidate, pair.baseline, strict=True)
    )
    return GateOutcome(
        candidate=str(candidate.path),
        baseline=str(baseline.path),
        metric=candidate.run.score_name,
        n_images=len(groups),
        n_distinct=n_groups,
        rules=rules,
        rules_from=rules_from,
        same_weights=same_weights,
        cells=tuple(
            judge(pair, entry, float(p), ratio, rules, len(pairs), same_weights)
            for pair, entry, p, ratio in zip(pairs, contrasts, adjusted, speeds, strict=True)
        ),
        extra_cells=extra_cells(candidate, baseline, pairs),
        seconds=time.perf_counter() - start,
        unverified=tuple(str(side.path) for side in (candidate, baseline) if not side.run.verified),
    )


def count_permutations(rules: GateSection, n_cells: int) -> int:
    """Permutations per cell.

    Raises:
        InputError: There are too few for any p-value to be small enough, or too many for memory.
    """
    least = ceil(n_cells / rules.alpha) - 1
    if least > MOST_PERMUTATIONS:
        raise InputError(
            f"gate.alpha = {rules.alpha:g}: with {n_cells} cells the swap test needs {least:,} permutations per cell, more "
            f"than the maximum of {MOST_PERMUTATIONS:,}; raise alpha or gate fewer cells"
        )
    if rules.permutations == "auto":
        permutations = max(LEAST_PERMUTATIONS, ceil(BEYOND_THRESHOLD * n_cells / rules.alpha) - 1)
        return min(permutations, MOST_PERMUTATIONS)
    if rules.permutations > MOST_PERMUTATIONS:
        raise InputError(
            f'gate.permutations = {rules.permutations}: the maximum is {MOST_PERMUTATIONS:,}; "auto" uses as many as needed'
        )
    if rules.permutations < least:
        raise InputError(
            f"gate.permutations = {rules.permutations}: with {n_cells} cells at alpha {rules.alpha:g} no cell could ever "
            f'fail; give at least {least}, or better "auto"'
        )
    return rules.permutations


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
    se = standard_error(_mean_influence(theirs) - _mean_influence(ours), groups)
    before, after = (fmean(estimate.value for estimate in side) for side in (ours, theirs))
    identical = all(np.array_equal(b, c) for b, c in zip(baseline, candidate, strict=True))
    untested = Contrast(before, after, se, None, identical)
    if untested.p_z > alpha:
        return untested
    test = swap_test(baseline, candidate, reference, groups, signs, hopeless=alpha)
    return Contrast(before, after, se, test, identical)


def judge(
    pair: Pair,
    measured: Contrast,
    p_holm: float,
    ratio: float | None,
    rules: GateSection,
    n_cells: int,
    same_weights: bool,
) -> CellOutcome:
    """The verdict on a cell, from the contrast and the p-value after Holm's correction."""
    tolerance = rules.tolerance * measured.baseline_score
    normal = NormalDist()
    failures, remarks = list(_broken_limits(measured, ratio, rules)), []
    rise = _rise(measured)
    verdict = PASS
    if measured.difference > tolerance:
        if p_holm <= rules.alpha:
            failures.insert(0, f"worse by {rise}, p = {significant(p_holm)}")
        else:
            verdict = INCONCLUSIVE
            remarks.append(
                f"up by {rise}, beyond the tolerance of {percent(rules.tolerance)}, but p = {significant(p_holm)}"
            )
    elif p_holm <= rules.alpha:
        verdict = NOTED
        remarks.append(
            f"worse by {rise}, p = {significant(p_holm)}, within the tolerance of {percent(rules.tolerance)}"
        )
    elif measured.difference < -rules.suspicious * measured.baseline_score and measured.p_z >= 1 - rules.alpha:
        verdict = SUSPICIOUS
        remarks.append(f"better by {rise}: have test images leaked into training, or is part of the data stale?")
    elif measured.identical and not same_weights:
        verdict = SUSPICIOUS
        remarks.append("exactly the baseline's features, although the weights differ: is the run stale?")
    return CellOutcome(
        name=pair.name,
        settings=pair.settings,
        seeds=pair.seeds,
        baseline_score=measured.baseline_score,
        candidate_score=measured.candidate_score,
        difference=measured.difference,
        se=measured.se,
        z=measured.z,
        p_swap=measured.test.p if measured.test else None,
        p=measured.p,
        p_holm=p_holm,
        permutations=measured.test.permutations if measured.test else 0,
        evaluated=measured.test.evaluated if measured.test else 0,
        prediction_error=measured.test.prediction_error if measured.test else 0.0,
        tolerance=tolerance,
        detectable=(normal.inv_cdf(1 - rules.alpha / n_cells) + normal.inv_cdf(POWER)) * measured.se,
        throughput_ratio=ratio,
        verdict=FAIL if failures else verdict,
        reasons=(*failures, *remarks),
    )


def throughput_ratio(pair: Pair, candidate: FinishedRun, baseline: FinishedRun, rules: GateSection) -> float | None:
    """Candidate's images per reference workload over the baseline's; a slower machine slows down both.

    Raises:
        NotComparableError: The rules need it, and a run has not recorded its reference workload.
    """
    sides = ((candidate, pair.candidate), (baseline, pair.baseline))
    theirs, ours = (median(s.images_per_s for s in scored) * (side.reference_ms or 0.0) for side, scored in sides)
    if not (theirs > 0 and ours > 0):
        if rules.min_throughput_ratio is None:
            return None
        side = baseline if theirs > 0 else candidate
        raise NotComparableError(
            f"{side.path}: no speed, or no throughput.reference_ms in its run.json, and gate.min_throughput_ratio needs "
            "both; run it again with this version of maskbench"
        )
    return theirs / ours


def _broken_limits(measured: Contrast, ratio: float | None, rules: GateSection) -> Iterator[str]:
    if rules.max_score is not None and measured.candidate_score > rules.max_score:
        yield f"score {significant(measured.candidate_score, 4)} above max_score {rules.max_score:g}"
    if rules.min_throughput_ratio is not None and ratio is not None and ratio < rules.min_throughput_ratio:
        yield f"speed {significant(ratio)} of the baseline's, below min_throughput_ratio {rules.min_throughput_ratio:g}"


def _rise(measured: Contrast) -> str:
    size = significant(abs(measured.difference))
    return (
        f"{size} ({percent(abs(measured.difference) / measured.baseline_score)})"
        if measured.baseline_score > 0
        else size
    )


def _features(
    pairs: Sequence[Pair], candidate: FinishedRun, baseline: FinishedRun
) -> Iterator[tuple[list[NDArray[Any]], list[NDArray[Any]]]]:
    """Features of each pair's seeds, baseline first; the candidate's have the precision of the baseline's."""
    for start in range(0, len(pairs), BATCH):
        batch = pairs[start : start + BATCH]
        ours = features(baseline, [scored.cell for pair in batch for scored in pair.baseline])
        theirs = features(candidate, [scored.cell for pair in batch for scored in pair.candidate])
        for pair in batch:
            kept = [ours[scored.cell] for scored in pair.baseline]
            fresh = [theirs[scored.cell] for scored in pair.candidate]
            # Rounded like the baseline's; otherwise equal features would differ, and the pairs would not be exchangeable.
            yield kept, [rows.astype(like.dtype) for rows, like in zip(fresh, kept, strict=True)]


def _mean_influence(estimates: Sequence[FrechetEstimate]) -> NDArray[np.float64]:
    return cast("NDArray[np.float64]", np.mean([estimate.influence for estimate in estimates], axis=0))
