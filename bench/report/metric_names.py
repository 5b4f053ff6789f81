"""Names and values of the rows of metrics.parquet, as shown in reports."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.document.text import significant
from bench.metrics.naming import distance_name
from bench.metrics.registry import FRECHET, KERNEL, METRICS, MONGE, image_metrics

if TYPE_CHECKING:
    from bench.report.view import MetricValue, View

OF_THE_CELL = tuple(metric.name for metric in image_metrics() if metric.in_summary)  # shown from the cell itself
DISTANCES = (FRECHET, KERNEL, MONGE)


def is_in_cell(view: View, row: MetricValue) -> bool:
    """True if a metric is already among the cell's own columns, or is a detail of the clean images."""
    if row.subset != "all":
        return row.metric not in DISTANCES
    is_score = row.features == view.metric.features and row.metric == FRECHET
    return is_score or (not row.features and row.metric in OF_THE_CELL)


def metric_name(view: View, row: MetricValue) -> str:
    """A metric in words; a Fréchet distance is called FID or FD, a kernel distance KID or KD, a sliced one MIND or SW2."""
    known = next((features for features in view.record.features if features.name == row.features), None)
    name = METRICS[row.metric].label_with_unit if row.metric in METRICS else row.metric
    if row.metric in DISTANCES and known:
        name = distance_name(known.label, known.name, known.verified, row.metric)
    elif row.features and row.features != view.metric.features:
        name = f"{name} ({row.features})"
    return name if row.subset == "all" else f"{name}, {row.n} {row.subset} images"


def metric_text(row: MetricValue) -> str:
    """A metric's value with its standard error."""
    value = significant(row.value, 4)
    return value if row.se is None else f"{value} ± {significant(row.se, 2)}"
