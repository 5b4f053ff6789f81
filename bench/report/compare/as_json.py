"""A comparison as JSON, for programs: the fields of ComparisonView. Numbers are unrounded.

schema 1 · metric {key, label, column, features, dim, verified, decimals, lower_is_better} · confidence · n_images,
n_distinct · runs[] {path, name, complete, checkpoints, machine, reference_ms, cells} · rows[] {name, settings, results[]}:
one result a run, null where it lacks the cell {cell_ids, seeds, score, se, images_per_s, against_first: null or {value, se,
low, high, verdict, speed_ratio}} · notes[]
"""

from __future__ import annotations

import json
from dataclasses import asdict

from bench.report.compare.view import ComparisonView

SCHEMA = 1


def render_json(view: ComparisonView) -> str:
    """Write a comparison as one JSON object with a final newline."""
    content = {"schema": SCHEMA, **asdict(view)}
    content["metric"]["lower_is_better"] = True
    content["metric"]["column"] = view.metric.column
    return json.dumps(content, indent=2, allow_nan=False) + "\n"
