"""The verdict on one cell, from what was measured and the limits that apply.

With Δ the measured rise, τ the tolerance, and U = Δ + Φ⁻¹(1 − α) SE the upper confidence limit of the true rise:

    significantly worse, Δ > τ                  regression: fail (critical), warn (supporting), pass with note (advisory)
    significantly worse, Δ ≤ τ < U              warn (critical, supporting): worse, and perhaps by more than the tolerance
    significantly worse, U ≤ τ                  pass with note
    not significantly worse, U ≤ τ              pass; better or suspicious if significantly better
    not significantly worse, U > τ              inconclusive

U ≤ τ is a non-inferiority test (Schuirmann 1987; one-sided, level α): a candidate that is truly worse by τ passes it with
probability α. Since all cells must pass it, it needs no correction for their number. With `tolerance_test = "estimate"`, U
is replaced by Δ, as before version 0.4: then half of the candidates that are worse by exactly τ keep the tolerance.

Two sizes say what a test set can show, four times in five for a normal z (72 to 77 % in simulation, since the error itself
is estimated): `detectable`, (Φ⁻¹(1 − α/m) + Φ⁻¹(0.8)) SE over m cells, is the smallest true rise that is significant, and
`needed_tolerance`, (Φ⁻¹(1 − α) + Φ⁻¹(0.8)) SE, is the smallest tolerance that an equal candidate is shown to keep.
"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist
from typing import TYPE_CHECKING

from bench.document.text import percent, significant
from bench.gate.limits import Floors, Limits, limits_of
from bench.gate.outcome import (
    ADVISORY,
    BETTER,
    CRITICAL,
    FAIL,
    INCONCLUSIVE,
    NOTED,
    PASS,
    SUSPICIOUS,
    VERDICTS,
    WARN,
    CellOutcome,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gate.comparable import Pair
    from bench.gate.contrast import Contrast
    from bench.gate.outcome import ChangedImage
    from bench.grid.sections import GateSection

POWER = 0.8
NORMAL = NormalDist()
REGRESSION = {CRITICAL: FAIL, ADVISORY: NOTED}  # otherwise WARN


@dataclass(frozen=True)
class Evidence:
    """Measurements of a cell in the context of the whole gate.

    Attributes:
        measured: Scores, error and tests.
        p_holm: p-value of being worse, after Holm's correction over the tier.
        p_better: p-value of being better, after the same correction.
        n_cells: Number of cells in the tier.
        throughput_ratio: Candidate's relative speed over the baseline's; None if not recorded.
        floors: The rFID floors; None if a side has none.
        same_weights: True if both sides have the same checkpoints.
        changed: The images that changed most.
    """

    measured: Contrast
    p_holm: float
    p_better: float
    n_cells: int
    throughput_ratio: float | None
    floors: Floors | None
    same_weights: bool
    changed: tuple[ChangedImage, ...] = ()


def judge(pair: Pair, evidence: Evidence, rules: GateSection) -> CellOutcome:
    """The verdict on a cell."""
    measured, floors = evidence.measured, evidence.floors
    limits = limits_of(rules, pair.tier, measured.baseline_score, floors)
    upper = measured.difference + NORMAL.inv_cdf(1 - rules.alpha) * measured.se
    statistical, remark = _statistical(evidence, limits, upper, rules)
    broken = list(_broken_limits(evidence, limits, rules))
    verdicts = [statistical, *([REGRESSION.get(limits.tier, WARN)] if broken else [])]
    remarks = filter(None, [remark])
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
        p_holm=evidence.p_holm,
        permutations=measured.test.permutations if measured.test else 0,
        evaluated=measured.test.evaluated if measured.test else 0,
        prediction_error=measured.test.prediction_error if measured.test else 0.0,
        tolerance=limits.rise,
        detectable=(NORMAL.inv_cdf(1 - rules.alpha / evidence.n_cells) + NORMAL.inv_cdf(POWER)) * measured.se,
        throughput_ratio=evidence.throughput_ratio,
        verdict=min(verdicts, key=VERDICTS.index),
        reasons=(*remarks, *broken) if statistical in (FAIL, WARN) else (*broken, *remarks),
        tier=limits.tier,
        floor=floors.baseline if floors else None,
        candidate_floor=floors.candidate if floors else None,
        tolerance_basis=limits.basis,
        upper=upper,
        needed_tolerance=(NORMAL.inv_cdf(1 - rules.alpha) + NORMAL.inv_cdf(POWER)) * measured.se,
        p_better=evidence.p_better,
        changed=evidence.changed,
    )


def _statistical(evidence: Evidence, limits: Limits, upper: float, rules: GateSection) -> tuple[str, str]:
    """The verdict by significance and tolerance, with its reason; the reason of a plain pass is empty."""
    measured = evidence.measured
    change, p = _change(evidence), significant(evidence.p_holm)
    within = f"the tolerance of {significant(limits.rise)} ({limits.basis})"
    bound = upper if rules.tolerance_test == "noninferiority" else measured.difference
    if evidence.p_holm <= rules.alpha:
        if measured.difference > limits.rise:
            return REGRESSION.get(limits.tier, WARN), f"worse by {change}, p = {p}, beyond {within}"
        if bound <= limits.rise:
            return NOTED, f"worse by {change}, p = {p}, within {within}"
        doubt = f"worse by {change}, p = {p}; perhaps by as much as {significant(upper)}, beyond {within}"
        return (NOTED if limits.tier == ADVISORY else WARN), doubt
    if bound > limits.rise:
        return INCONCLUSIVE, _doubt(evidence, within, upper, rules)
    if measured.difference < -limits.fall and measured.p_z >= 1 - rules.alpha:
        return SUSPICIOUS, f"better by {change}: have test images leaked into training, or is part of the data stale?"
    if measured.identical and not evidence.same_weights:
        return SUSPICIOUS, "exactly the baseline's features, although the weights differ: is the run stale?"
    if evidence.p_better <= rules.alpha:
        return BETTER, f"better by {change}, p = {significant(evidence.p_better)}"
    return PASS, ""


def _doubt(evidence: Evidence, within: str, upper: float, rules: GateSection) -> str:
    """The reason for an inconclusive cell."""
    p = significant(evidence.p_holm)
    if rules.tolerance_test == "estimate":
        return f"up by {_change(evidence)}, beyond {within}, but p = {p}"
    direction = "up" if evidence.measured.difference > 0 else "down"
    return (
        f"{direction} by {_change(evidence)}, p = {p}; perhaps worse by as much as {significant(upper)}, beyond {within}: "
        "more images or seeds would decide"
    )


def _broken_limits(evidence: Evidence, limits: Limits, rules: GateSection) -> Iterator[str]:
    score, ratio = evidence.measured.candidate_score, evidence.throughput_ratio
    if limits.max_score is not None and score > limits.max_score:
        yield f"score {significant(score, 4)} above max_score {limits.max_score:g}"
    if rules.min_throughput_ratio is not None and ratio is not None and ratio < rules.min_throughput_ratio:
        yield f"speed {significant(ratio)} of the baseline's, below min_throughput_ratio {rules.min_throughput_ratio:g}"


def _change(evidence: Evidence) -> str:
    """The size of the difference, and its shares of the score and of the excess: 0.0432 (0.4 %, 10 % of the excess)."""
    measured, floors = evidence.measured, evidence.floors
    size, shares = abs(measured.difference), []
    if measured.baseline_score > 0:
        shares.append(percent(size / measured.baseline_score))
    if floors is not None and floors.baseline < measured.baseline_score:
        shares.append(f"{percent(size / (measured.baseline_score - floors.baseline))} of the excess")
    return f"{significant(size)} ({', '.join(shares)})" if shares else significant(size)
