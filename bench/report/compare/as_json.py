"""A comparison as JSON, for programs: the fields of ComparisonView. Numbers are unrounded.

schema 1 · metric {key, label, column, features, dim, verified, decimals, lower_is_better} · confidence · n_images,
n_distinct · runs[] {path, name, complete, checkpoints, machine, reference_ms, cells} · rows[] {name, settings, results[]}:
one result per run, null if it lacks the cell {cell_ids, seeds, score, se, images_per_s, against_first: null or {value,
se, low, high, verdict, speed_ratio}} · notes[]
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.report.compare.view import ComparisonView

SCHEMA = 1


def comparison_content(view: ComparisonView) -> dict[str, Any]:
    """Contents of the JSON."""
    content = {"schema": SCHEMA, **asdict(view)}
    content["metric"]["lower_is_better"] = True
    content["metric"]["column"] = view.metric.column
    return content
