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
4. Holm's correction over all gated cells of a tier (Holm 1979): the chance that a candidate equal to its baseline fails in
   any critical cell is at most α.
5. The verdict (bench.gate.verdict), from significance, tolerance and hard limits.

The number of permutations B: after Holm, the smallest p-value must reach α/m over m cells, so with a fixed B a large grid
could never fail. "auto" uses max(999, ⌈20 m/α⌉ − 1), which is 20 expected swaps beyond the strictest threshold, and at most
a million.

SE includes the noise of decoding: with other weights, equal seeds do not give equal images. It does not include the noise of
training: the gate compares two sets of weights, not two recipes.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from math import ceil
from statistics import median
from typing import TYPE_CHECKING, Any

import numpy as np

from bench.errors import NotComparableError
from bench.gate.comparable import Pair, extra_cells, pair_cells, require_same_truth
from bench.gate.contrast import Contrast, contrast, most_changed
from bench.gate.limits import floors_of
from bench.gate.outcome import GateOutcome
from bench.gate.swap import random_signs
from bench.gate.verdict import Evidence, judge
from bench.metrics.frechet import prepare
from bench.metrics.statistics import group_codes, holm
from bench.results.finished_run import FinishedRun, features, truth
from maskgit.errors import InputError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from bench.grid.sections import GateSection

LEAST_PERMUTATIONS, MOST_PERMUTATIONS = 999, 1_000_000
BEYOND_THRESHOLD = 20  # swaps expected beyond the strictest of Holm's thresholds
SIGNS_SEED = 747  # the same swaps every time, so that a gate is reproducible
BATCH = 32  # cells whose features are in memory at a time

Progress = Callable[[int, int], None]
"""Callback with the number of finished cells and of all cells."""


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
    pairs = pair_cells(candidate, baseline, rules.cells, rules.tiers)
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
    same_weights = all(
        candidate.weights[theirs.cell.trajectory.checkpoint] == baseline.weights[ours.cell.trajectory.checkpoint]
        for pair in pairs
        for theirs, ours in zip(pair.candidate, pair.baseline, strict=True)
    )
    families = [pair.family for pair in pairs]
    worse, better = (_holm_by(families, [getattr(entry, p) for entry in contrasts]) for p in ("p", "p_better"))
    evidence = [
        Evidence(
            measured=entry,
            p_holm=worse[i],
            p_better=better[i],
            n_cells=families.count(pair.family),
            throughput_ratio=speeds[i],
            floors=floors_of(pair, candidate, baseline),
            same_weights=same_weights,
            changed=most_changed(entry, candidate.images.index),
        )
        for i, (pair, entry) in enumerate(zip(pairs, contrasts, strict=True))
    ]
    return GateOutcome(
        candidate=str(candidate.path),
        baseline=str(baseline.path),
        metric=candidate.run.score_name,
        n_images=len(groups),
        n_distinct=n_groups,
        rules=rules,
        rules_from=rules_from,
        same_weights=same_weights,
        cells=tuple(judge(pair, entry, rules) for pair, entry in zip(pairs, evidence, strict=True)),
        extra_cells=extra_cells(candidate, baseline, pairs),
        seconds=time.perf_counter() - start,
        unverified=tuple(str(side.path) for side in (candidate, baseline) if not side.run.verified),
        precisions=_precisions(baseline, candidate),
    )


def _precisions(baseline: FinishedRun, candidate: FinishedRun) -> tuple[str, ...]:
    """Precisions of both sides' networks if both are known and differ; otherwise nothing."""
    both = tuple(side.precision for side in (baseline, candidate) if side.precision is not None)
    return both if len(set(both)) > 1 else ()


def _holm_by(families: Sequence[str], p_values: Sequence[float]) -> list[float]:
    """Holm's correction within each family; in the order given."""
    adjusted = [1.0] * len(p_values)
    for family in dict.fromkeys(families):
        members = [i for i, name in enumerate(families) if name == family]
        for i, p in zip(members, holm([p_values[i] for i in members]), strict=True):
            adjusted[i] = float(p)
    return adjusted


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
