"""What distances are called. FID and KID are the names on FID's own features with its official weights, and only there."""

from __future__ import annotations

from typing import Literal

from bench.metrics.registry import FRECHET, KERNEL

Label = Literal["FID", "FD"]
LABELS: dict[bool, dict[str, str]] = {True: {FRECHET: "FID", KERNEL: "KID"}, False: {FRECHET: "FD", KERNEL: "KD"}}
"""By whether the features are FID's own with their official weights, and by metric."""


def label_of(official: bool) -> Label:
    """What the Fréchet distance on some features is called, "FID" or "FD": the label of an extractor in run.json."""
    return "FID" if official else "FD"


def distance_label(label: str, metric: str = FRECHET) -> str:
    """What a distance is called on the features of an extractor with this label: FID, KID, FD or KD."""
    return LABELS[label == label_of(True)][metric]


def distance_column(label: str, metric: str = FRECHET) -> str:
    """Its column in the tables, and key in JSON: fid, kid, fd or kd. Its standard error is <column>_se."""
    return distance_label(label, metric).lower()


def distance_name(label: str, features: str, verified: bool, metric: str = FRECHET) -> str:
    """The name that a report shows: the extractor is named unless it is FID's own, and unverified weights are said to be.

    FID; KID (unverified); FD (cifar-resnet); KD (inception, unverified).
    """
    notes = [] if label == label_of(True) else [features]
    notes += [] if verified else ["unverified"]
    name = distance_label(label, metric)
    return f"{name} ({', '.join(notes)})" if notes else name


def labels_of(metric: str = FRECHET) -> tuple[str, ...]:
    """Every name that a distance may have, as the label FID or FD of its extractor gives it."""
    return tuple(names[metric] for names in LABELS.values())
