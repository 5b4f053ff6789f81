"""The report as JSON, for programs.

Keys are stable within a schema version; numbers are unrounded; absent ones are null.

schema        1
run           run.json, typed: name, complete, created, finished, version, spec, environment, data, checkpoints,
              features, throughput {unit_costs, checks, tile, peak_memory_mb}, counts,
              seconds, warnings, skipped [{checkpoint, reason}] (checkpoints left out by --keep-going)
metric        key ("fid" or "fd"), label, column (how reports name it), features, dim, verified, decimals,
              lower_is_better
varied        axis -> values, of the axes other than gamma, total_iter and sweet_spot that vary in this run
fixed         axis -> value, of the axes that do not vary
cells         one object per cell, as in cells.parquet, with the score under "score", its standard error under "score_se"
answer        which cell to use: cell_id, sentence
headlines     best_quality, tied (recommended: the fastest within noise of it and within 10 % of the span), fast_enough (the
              fastest within 10 % of the span from the rFID floor to one-shot decoding), trade_off (where the front has a
              bend): kind, title, cell_id, sentence, change (of the score, relative to the best), speedup, comparison (with
              the best, in words)
grids         gamma × sweet spot: settings, total_iter, gammas, sweet_spots, scores and cell_ids[gamma][sweet spot],
              images_per_s, best, worst
front         the Pareto front, fastest first: cell_id, score, images_per_s, roles, equal (cells at the same point)
metrics       metrics.parquet: cell_id, features, metric, subset, value, se, n
curves        means of a trajectory by step: steps, masked_left, tokens_fixed, mean_confidence
hole_bins     of the cells of the headlines (`--format csv --table hole_bins` has all cells): means by quarters of the hole
              size, each with its standard error over images
schedules     γ(r) of every gamma, for a hole of the mean size: gamma, hole_tokens, ratios, masked_share
references    reference rows: name, checkpoint, compose, score, score_se
influential   the images with the largest influence on a cell's score: cell_id, image_id, influence, copy_of
against_best  every scored cell compared with the best: cell_id, change (its score minus the best), change_se (over images,
              paired), within_noise (true in the confidence set of the best cell, null if errors are unknown)
selection     that confidence set, by multiple comparison with the best: confidence, cells, within_noise, critical_value,
              optimism_low and optimism_high (expected rise of the best score when its cell is decoded again)
confirmation  candidates for the best cell on fresh seeds, if `maskbench confirm` was run: seeds, cells [cell_id, selected,
              score, se, change and change_se (from the best cell, on the same seeds)]
one_step      the best cell minus the cell of one step: cell_id, change and change_se of that cell's score, within_noise,
              psnr_db, psnr_se, mae, mae_se (in the hole, paired over images)
audit         exact findings: copies (image_id, copy_of), in_training (image ids; null if not searched)
caveats       caveats to read before quoting a number: code (stable), text
seeds         a setting over its seeds, if it has several: settings, cell_ids, seeds, scores, mean, sd_over_seeds
              (spread of the seeds' scores), se_over_images (of the mean)
decoding_noise
              what the error of a difference from the best setting is made of, medians over settings, if there are several
              seeds: seeds, share (of decoding noise in the variance with one seed), se_one, se (with all seeds), se_next
by_checkpoint a setting over checkpoints, if it has several: settings, scores (in the order of the run's list:
              checkpoint, cell_ids, score, se, change and change_se (since the checkpoint before))
"""

from __future__ import annotations

from dataclasses import asdict, replace
from typing import TYPE_CHECKING, Any

from bench.document.json import to_json

if TYPE_CHECKING:
    from bench.report.view import View
    from bench.results.record import RunRecord

JSON_SCHEMA = 1


def render_json(view: View) -> str:
    """Write the view as one JSON object in ASCII."""
    return to_json(report_content(view))


def report_content(view: View) -> dict[str, Any]:
    """Contents of the JSON."""
    headline_ids = view.headline_cells
    content = asdict(replace(view, hole_bins=()))
    content["metric"] |= {"column": view.metric.column, "lower_is_better": True}
    content["hole_bins"] = [hole.row() for hole in view.hole_bins if hole.cell_id in headline_ids]
    content["cells"] = [cell.row() for cell in view.cells]
    copies = [{"image_id": image, "copy_of": first} for image, first in view.audit.copies.items()]
    content["audit"] = {"copies": copies, "in_training": view.audit.in_training}
    content["record"] = record_json(view.record)
    return {"schema": JSON_SCHEMA, "run": content.pop("record"), **content}


def record_json(record: RunRecord) -> dict[str, Any]:
    """The run's record, with the version that made it, and its unit costs in one list."""
    content = {**record.to_json(), "version": record.version}
    if record.throughput:
        content["throughput"]["unit_costs"] = [cost.model_dump() for cost in record.throughput.unit_costs]
    return content
