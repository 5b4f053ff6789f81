"""Names of distances. FID, KID and MIND are used only on FID's own features with its official weights."""

from __future__ import annotations

from typing import Literal

from bench.metrics.registry import FRECHET, KERNEL, MONGE

Label = Literal["FID", "FD"]
LABELS: dict[bool, dict[str, str]] = {
    True: {FRECHET: "FID", KERNEL: "KID", MONGE: "MIND"},
    False: {FRECHET: "FD", KERNEL: "KD", MONGE: "SW2"},
}
"""Names by metric; the outer key is True for FID's own features with their official weights."""


def label_of(official: bool) -> Label:
    """Name of the Fréchet distance, "FID" on the official features, otherwise "FD": an extractor's label in run.json."""
    return "FID" if official else "FD"


def distance_label(label: str, metric: str = FRECHET) -> str:
    """Name of a distance on the features of an extractor with this label: FID, KID, MIND, FD, KD or SW2."""
    return LABELS[label == label_of(True)][metric]


def distance_column(label: str, metric: str = FRECHET) -> str:
    """Column of a distance in the tables, and its key in JSON: fid, kid, fd or kd. The standard error is <column>_se."""
    return distance_label(label, metric).lower()


def distance_name(label: str, features: str, verified: bool, metric: str = FRECHET) -> str:
    """Name of a distance in reports, with the extractor unless it is FID's own, and a note on unverified weights.

    Examples: FID; KID (unverified); FD (efficientnet-lite0); KD (inception, unverified).
    """
    notes = [] if label == label_of(True) else [features]
    notes += [] if verified else ["unverified"]
    name = distance_label(label, metric)
    return f"{name} ({', '.join(notes)})" if notes else name


def labels_of(metric: str = FRECHET) -> tuple[str, ...]:
    """Every possible name of a distance, one per extractor label."""
    return tuple(names[metric] for names in LABELS.values())
