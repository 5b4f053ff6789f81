"""Measure a set of images: from features and per-image values to numbers with their standard errors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from bench.metrics.checks import MIN_IMAGES
from bench.metrics.embedded import EmbeddedImages, Original
from bench.metrics.registry import FRECHET as FRECHET
from bench.metrics.registry import KERNEL as KERNEL
from bench.metrics.registry import feature_metrics
from bench.metrics.statistics import mean_and_se

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from bench.metrics.registry import Metric

ALL, CLEAN = "all", "clean"


@dataclass(frozen=True)
class Number:
    """One measured number of a set of images.

    Attributes:
        features: Name of the extractor; empty for metrics of pixels and tokens.
        metric: Name of the metric, as in metrics.parquet.
        subset: The test images that count: "all", or "clean" for those that are in no training folder.
        value: The number.
        se: Standard error over images, exact copies counted as one; None if there is none.
        n: Number of images.
    """

    features: str
    metric: str
    subset: str
    value: float
    se: float | None
    n: int


@dataclass(frozen=True, eq=False)
class ReferenceSet:
    """The originals and groups that images are measured against.

    Attributes:
        copy_of: (N,) int64, equal for test images that are exact copies of one another.
        subsets: Rows of the test images that count, by name of the subset; "all" is the first.
        originals: Prepared features of the originals by extractor and subset.
        extra: Names of the metrics that are measured only where asked for, as in metrics.extra.
        own: The user's own metrics of features.
    """

    copy_of: NDArray[np.int64]
    subsets: dict[str, NDArray[np.int64]]
    originals: dict[str, dict[str, Original]]
    extra: tuple[str, ...] = ()
    own: tuple[Metric, ...] = ()


def reference_set(
    truth: Mapping[str, NDArray[np.float32]],
    copy_of: NDArray[np.int64],
    clean: NDArray[np.bool_] | None,
    extra: tuple[str, ...] = (),
    own: tuple[Metric, ...] = (),
) -> ReferenceSet:
    """Prepare the reference set of all cells.

    Args:
        truth: Features (N, D) of the originals by extractor.
        copy_of: As in `ReferenceSet`.
        clean: (N,) bool, True for an image that is in no training folder; None if no folder was given. The clean images
            are a subset of their own if not all images are clean and enough are for a distance.
        extra: As in `ReferenceSet`.
        own: As in `ReferenceSet`.
    """
    subsets = {ALL: np.arange(len(copy_of))}
    if clean is not None and not clean.all() and len(np.unique(copy_of[clean])) >= MIN_IMAGES:
        subsets[CLEAN] = np.flatnonzero(clean)
    originals = {
        extractor: {name: Original(features[rows]) for name, rows in subsets.items()}
        for extractor, features in truth.items()
    }
    return ReferenceSet(copy_of, subsets, originals, extra, own)


def measure(
    features: Mapping[str, NDArray[np.float32]], values: Mapping[str, NDArray[np.floating]], against: ReferenceSet
) -> tuple[tuple[Number, ...], dict[str, NDArray[np.float64]]]:
    """Every number of a set of images, one per test image.

    Args:
        features: (N, D) by extractor.
        values: (N,) finite per-image values by metric; their mean is reported.
        against: The reference set.

    Returns:
        The numbers, and the influences (N,) of the images on the Fréchet distance over all images, by extractor.
    """
    numbers: list[Number] = []
    influence = {}
    for subset, rows in against.subsets.items():
        groups = against.copy_of[rows]
        for extractor, matrix in features.items():
            images = EmbeddedImages(matrix[rows], against.originals[extractor][subset], groups)
            for metric in (*feature_metrics(against.extra), *against.own):
                assert metric.of_set is not None
                if len(rows) < metric.min_images:
                    continue
                numbers.append(Number(extractor, metric.name, subset, *metric.of_set(images), len(rows)))
            if subset == ALL:
                influence[extractor] = images.frechet.influence
        numbers += [Number("", name, subset, *mean_and_se(v[rows], groups), len(rows)) for name, v in values.items()]
    return tuple(numbers), influence
