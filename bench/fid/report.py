"""A comparison of two samples as one line and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.document.text import clean, significant
from bench.metrics.naming import distance_column, distance_label, distance_name
from bench.metrics.registry import KERNEL

if TYPE_CHECKING:
    from bench.fid.compare import Comparison

DIGITS, KERNEL_DIGITS, ERROR_DIGITS = 6, 3, 2


def as_line(comparison: Comparison) -> str:
    """`FID 29.9134 ± 0.41 (SE) · KID 0.00312 ± 0.00021 · N 747 and 747 · paired`.

    Only FID's own features give FID and KID; on other features the distances are FD and KD, with the extractor's name.
    """
    scores = comparison.scores
    distance = distance_name(comparison.label, clean(comparison.features), comparison.verified)
    parts = [f"{distance} {_with_error(scores.value, DIGITS, scores.se)}{' (SE)' if scores.se is not None else ''}"]
    if scores.kid is not None:
        parts.append(
            f"{distance_label(comparison.label, KERNEL)} {_with_error(scores.kid, KERNEL_DIGITS, scores.kid_se)}"
        )
    parts.append(f"N {_count(comparison.n_a)} and {_count(comparison.n_b)}")
    if comparison.strict:
        parts.append("strict")
    return " · ".join([*parts, _relation(comparison)])


def as_json(comparison: Comparison) -> dict[str, Any]:
    """All numbers and notes, with the distance under `fid` or `fd`."""
    scores = asdict(comparison.scores)
    return {
        distance_column(comparison.label): scores.pop("value"),
        **scores,
        "n_a": comparison.n_a,
        "n_b": comparison.n_b,
        "features": comparison.features,
        "reference": "paired" if comparison.paired else "disjoint",
        "verified": comparison.verified,
        "weights_sha256": comparison.weights_sha256,
        "strict": comparison.strict,
        "a": comparison.a,
        "b": comparison.b,
        "notes": list(comparison.notes),
    }


def _with_error(value: float, digits: int, error: float | None) -> str:
    number = significant(value, digits)
    return number if error is None else f"{number} ± {significant(error, ERROR_DIGITS)}"


def _count(n: int | None) -> str:
    return "unknown" if n is None else str(n)


def _relation(comparison: Comparison) -> str:
    if not comparison.paired:
        return "disjoint"
    distinct = comparison.scores.n_distinct
    return "paired" if distinct == comparison.n_a else f"paired, {distinct} distinct originals"
