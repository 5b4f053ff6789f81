"""A comparison of two samples as one line, and as JSON."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from bench.document.text import clean, significant
from bench.metrics.naming import distance_column, distance_label, distance_name
from bench.metrics.registry import KERNEL

if TYPE_CHECKING:
    from bench.fid.compare import Comparison

DIGITS, KERNEL_DIGITS, ERROR_DIGITS = 6, 3, 2


def as_line(found: Comparison) -> str:
    """`FID 29.9134 ± 0.41 (SE) · KID 0.00312 ± 0.00021 · N 747 and 747 · paired`.

    Only FID's own features give FID and KID; on others the distances are called FD and KD, with the extractor's name.
    """
    scores = found.scores
    distance = distance_name(found.label, clean(found.features), found.verified)
    parts = [f"{distance} {_with_error(scores.value, DIGITS, scores.se)}{' (SE)' if scores.se is not None else ''}"]
    if scores.kid is not None:
        parts.append(f"{distance_label(found.label, KERNEL)} {_with_error(scores.kid, KERNEL_DIGITS, scores.kid_se)}")
    parts.append(f"N {_count(found.n_a)} and {_count(found.n_b)}")
    if found.strict:
        parts.append("strict")
    return " · ".join([*parts, _relation(found)])


def as_json(found: Comparison) -> dict[str, Any]:
    """The same, whole, with the distance under `fid` or `fd`."""
    scores = asdict(found.scores)
    return {
        distance_column(found.label): scores.pop("value"),
        **scores,
        "n_a": found.n_a,
        "n_b": found.n_b,
        "features": found.features,
        "reference": "paired" if found.paired else "disjoint",
        "verified": found.verified,
        "weights_sha256": found.weights_sha256,
        "strict": found.strict,
        "a": found.a,
        "b": found.b,
        "notes": list(found.notes),
    }


def _with_error(value: float, digits: int, error: float | None) -> str:
    shown = significant(value, digits)
    return shown if error is None else f"{shown} ± {significant(error, ERROR_DIGITS)}"


def _count(n: int | None) -> str:
    return "unknown" if n is None else str(n)


def _relation(found: Comparison) -> str:
    if not found.paired:
        return "disjoint"
    distinct = found.scores.n_distinct
    return "paired" if distinct == found.n_a else f"paired, {distinct} distinct originals"
