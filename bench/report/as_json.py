"""The report as JSON, for programs.

Keys are stable within a schema version; numbers are unrounded; absent ones are null.

schema        1
run           run.json, typed: name, complete, created, finished, version, spec, environment, data, checkpoints,
              features, throughput {unit_costs, checks, tile, peak_memory_mb}, counts,
              seconds, warnings, skipped [{checkpoint, reason}] (what --keep-going went on without)
metric        key ("fid" or "fd"), label, column (how reports name it), features, dim, verified, decimals,
              lower_is_better
varied        axis -> values, of the axes beside gamma, total_iter and sweet_spot that vary in this run
fixed         axis -> value, of those that do not
cells         one object a cell, as in cells.parquet, with the score under "score", its standard error under "score_se"
headlines     best_quality, tied (fastest that is not told from it), fast_enough (within 5 %), trade_off (where the front
              has a bend): kind, title, cell_id, sentence, change (of the score, relative to the best), speedup
grids         gamma × sweet spot: settings, total_iter, gammas, sweet_spots, scores[gamma][sweet spot],
              images_per_s, best, worst
front         the Pareto front, fastest first: cell_id, score, images_per_s, roles, equal (cells at the same point)
metrics       metrics.parquet: cell_id, features, metric, value, n
curves        a trajectory's means by step: steps, masked_left, tokens_fixed, mean_confidence
hole_bins     a cell's means by quarters of the hole size, each with its standard error over images
schedules     γ(r) of every gamma, for a hole of the mean size: gamma, hole_tokens, ratios, masked_share
references    rows to read scores against: name, checkpoint, compose, score, score_se
influential   the images that move a cell's score the most: cell_id, image_id, influence, copy_of
against_best  every scored cell beside the best: cell_id, change (its score less the best), change_se (over images,
              paired)
audit         exact findings: copies (image_id, copy_of), in_training (image ids; null where not asked)
caveats       what to distrust: code (stable), text
seeds         a setting over its seeds, where it has several: settings, cell_ids, seeds, scores, mean, sd_over_seeds
              (spread of the seeds' scores), se_over_images (of the mean)
by_checkpoint a setting over checkpoints, where it has several: settings, scores (in the order of the run's list:
              checkpoint, cell_ids, score, se, change and change_se (since the checkpoint before))
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict
from typing import Any

from bench.report.view import View
from bench.results.record import RunRecord

JSON_SCHEMA = 1


def render_json(view: View) -> str:
    """Write the whole view as one JSON object in ASCII, indented, with a final newline."""
    body = asdict(view)
    body["metric"] |= {"column": view.metric.column, "lower_is_better": True}
    body["cells"] = [cell.row() for cell in view.cells]
    body["record"] = record_json(view.record)
    copies = [{"image_id": image, "copy_of": first} for image, first in view.audit.copies.items()]
    body["audit"] = {"copies": copies, "in_training": view.audit.in_training}
    body = {"schema": JSON_SCHEMA, "run": body.pop("record"), **body}
    return json.dumps(_finite(body), indent=2, allow_nan=False) + "\n"


def record_json(record: RunRecord) -> dict[str, Any]:
    """The run's record, with the version it was made with, and its unit costs in one list."""
    content = {**record.to_json(), "version": record.version}
    if record.throughput:
        content["throughput"]["unit_costs"] = [cost.model_dump() for cost in record.throughput.unit_costs]
    return content


def _finite(value: Any) -> Any:
    """JSON has no NaN and no infinity: both become null."""
    if isinstance(value, dict):
        return {key: _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return None if isinstance(value, float) and not math.isfinite(value) else value
