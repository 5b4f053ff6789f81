"""Limits of a gated cell in units of its score, from shares of what decoding can win.

A score is the tokenizer reconstruction's (the rFID floor) plus the *excess* that is due to decoding. Where the floor is most
of the score, a small share of the score is a large share of the excess: on 747 photographs the floor is 11.9 of 12.3, so
that 1 % of the score is 28 % of the excess, and a candidate that renders the true tokens falls by 3.5 % of the score only.
Limits are therefore shares of the baseline's excess by default.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.document.text import percent, significant
from bench.gate.outcome import CRITICAL
from bench.grid.sections import (
    EXCESS_SUSPICIOUS,
    EXCESS_TOLERANCE,
    SCORE_SUSPICIOUS,
    SCORE_TOLERANCE,
    TOLERANCES,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from bench.gate.comparable import Pair
    from bench.grid.sections import GateSection, Tier
    from bench.results.finished_run import FinishedRun, ScoredCell

FLOOR = "tokenizer_floor"
REFERENCES_FILE = "references.parquet"


@dataclass(frozen=True)
class Floors:
    """Scores of the tokenizer reconstruction in a cell of both sides, which decoding is not expected to fall below."""

    baseline: float
    candidate: float


@dataclass(frozen=True)
class Limits:
    """Limits of one cell, in units of its score.

    Attributes:
        rise: Largest rise within tolerance.
        basis: The tolerance in words, such as 10 % of the excess over the rFID floor.
        fall: Smallest fall that is flagged as too good.
        max_score: Highest score that passes; None for any.
        tier: critical, supporting or advisory.
    """

    rise: float
    basis: str
    fall: float
    max_score: float | None
    tier: str


def limits_of(rules: GateSection, tier: Tier | None, baseline_score: float, floors: Floors | None) -> Limits:
    """The limits of a cell; those of its tier come before those of the gate."""
    source = tier if tier is not None and any(getattr(tier, key) is not None for key in TOLERANCES) else rules
    excess, why_not = _excess(baseline_score, floors)
    rises = list(_given_rises(source, baseline_score, excess, why_not)) or [
        _default_rise(baseline_score, excess, why_not)
    ]
    rise, basis = min(rises)
    max_score = tier.max_score if tier is not None and tier.max_score is not None else rules.max_score
    return Limits(rise, basis, _fall(rules, baseline_score, excess), max_score, tier.tier if tier else CRITICAL)


def floors_of(pair: Pair, candidate: FinishedRun, baseline: FinishedRun) -> Floors | None:
    """The floors of a cell; None unless both sides know theirs."""
    ours, theirs = _floor(baseline, pair.baseline[0]), _floor(candidate, pair.candidate[0])
    return Floors(ours, theirs) if ours is not None and theirs is not None else None


def _floor(side: FinishedRun, scored: ScoredCell) -> float | None:
    """The score of the tokenizer reconstruction with a cell's checkpoint and composition."""
    if not (side.path / REFERENCES_FILE).is_file():
        return None
    rows = side.run.references
    key = (FLOOR, scored.cell.trajectory.checkpoint, scored.cell.compose)
    scores = rows.score[(rows.reference == key[0]) & (rows.checkpoint == key[1]) & (rows.compose == key[2])].dropna()
    return float(scores.iloc[0]) if len(scores) else None


def _excess(baseline_score: float, floors: Floors | None) -> tuple[float | None, str]:
    """The baseline's excess over its floor, or the reason why there is none."""
    if floors is None:
        return None, "no rFID floor on both sides"
    if floors.baseline >= baseline_score:
        return None, "the score is not above the rFID floor"
    return baseline_score - floors.baseline, ""


def _given_rises(
    source: GateSection | Tier, baseline_score: float, excess: float | None, why_not: str
) -> Iterator[tuple[float, str]]:
    if source.tolerance is not None:
        yield source.tolerance * baseline_score, f"{percent(source.tolerance)} of the score"
    if source.tolerance_absolute is not None:
        yield source.tolerance_absolute, significant(source.tolerance_absolute)
    if source.tolerance_excess is not None:
        if excess is not None:
            yield (
                source.tolerance_excess * excess,
                f"{percent(source.tolerance_excess)} of the excess over the rFID floor",
            )
        elif source.tolerance is None and source.tolerance_absolute is None:
            yield _default_rise(baseline_score, None, why_not)


def _default_rise(baseline_score: float, excess: float | None, why_not: str) -> tuple[float, str]:
    if excess is not None:
        return EXCESS_TOLERANCE * excess, f"{percent(EXCESS_TOLERANCE)} of the excess over the rFID floor"
    return SCORE_TOLERANCE * baseline_score, f"{percent(SCORE_TOLERANCE)} of the score ({why_not})"


def _fall(rules: GateSection, baseline_score: float, excess: float | None) -> float:
    falls = []
    if rules.suspicious is not None:
        falls.append(rules.suspicious * baseline_score)
    if rules.suspicious_excess is not None and excess is not None:
        falls.append(rules.suspicious_excess * excess)
    if falls:
        return min(falls)
    return EXCESS_SUSPICIOUS * excess if excess is not None else SCORE_SUSPICIOUS * baseline_score
