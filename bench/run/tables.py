"""Tables: the numbers of a run as Parquet, in the columns of `bench.results.schema`."""

from __future__ import annotations

import hashlib
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import torch

from bench.metrics.measure import ALL, Number
from bench.metrics.naming import distance_column, distance_name
from bench.metrics.registry import FRECHET, KERNEL
from bench.results.schema import IMAGES, METRICS, REFERENCES, STEPS, TEST_SET, cells_schema, write_table
from bench.results.stored import record_of
from maskgit.masks import token_mask

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.audit.copies import Audit
    from bench.features.sources import Source
    from bench.grid.plan import Cell, Trajectory
    from bench.run.blocks import Block
    from bench.run.inpaint import RunCounts
    from bench.run.inputs import Inputs
    from bench.run.job import Job
    from bench.run.score import CellScore, RowScore
    from bench.run.speeds import Speeds
    from bench.run.throughput import UnitCosts
    from bench.store.records import Record
    from bench.store.store import Store

Row = dict[str, Any]


@dataclass(frozen=True)
class Result:
    """The results of a run, before they are arranged in tables."""

    blocks: list[Block]
    scores: list[CellScore]
    rows: list[RowScore]
    speeds: Speeds
    audit: Audit
    warnings: list[str]
    counts: list[RunCounts]  # one per checkpoint
    skipped: dict[str, str]  # reason by checkpoint


def build(
    inputs: Inputs, jobs: list[Job], sources: Sequence[Source], result: Result, store: Store
) -> dict[str, pa.Table]:
    """The tables of a run by name, in the order of writing: cells come last, so that they exist only if all others do."""
    return {
        "images": images_table(inputs, jobs, result),
        "steps": steps_table(jobs, result, store),
        "test_set": test_set_table(inputs, result),
        "metrics": metrics_table(result, sources),
        "references": references_table(result, sources),
        "cells": cells_table(result, sources[0]),
    }


def write(output: Path, tables: Mapping[str, pa.Table]) -> dict[str, str]:
    """Write the tables of a run folder; returns their sha256 by file name."""
    return {f"{name}.parquet": write_table(output / f"{name}.parquet", table) for name, table in tables.items()}


def cells_table(result: Result, primary: Source) -> pa.Table:
    """One row per cell."""
    checked = {check.cell for check in result.speeds.checks}
    rows = [
        {
            **_settings_of(score.cell),
            **_scores_of(score, primary),
            **_means_of(score),
            **_speed_of(score.cell, result.speeds.units, score.cell in checked),
        }
        for score in result.scores
    ]
    return pa.Table.from_pylist(rows, schema=cells_schema(primary.label))


def _settings_of(cell: Cell) -> Row:
    return {"cell_id": cell.cell_id, "trajectory_id": cell.trajectory.trajectory_id, **cell.settings}


def _scores_of(score: CellScore, primary: Source) -> Row:
    """The distances on the primary extractor's features; the Fréchet distance appears again as the score."""
    row: Row = {"features": primary.name, "features_verified": primary.verified}
    for metric in (FRECHET, KERNEL):
        column, distance = distance_column(primary.label, metric), score.number(metric, primary.name)
        row |= {column: distance.value, f"{column}_se": distance.se}
    frechet = score.number(FRECHET, primary.name)
    name = distance_name(primary.label, primary.name, primary.verified)
    return {**row, "n_images": frechet.n, "score": frechet.value, "score_se": frechet.se, "score_name": name}


def _means_of(score: CellScore) -> Row:
    """The means over all images of the per-image metrics."""
    return {number.metric: number.value for number in score.numbers if not number.features and number.subset == ALL}


def _speed_of(cell: Cell, units: Mapping[str, UnitCosts], checked: bool) -> Row:
    ms_per_image = units[cell.trajectory.checkpoint].ms_per_image(cell.sweet_spot)
    return {
        "images_per_s": 1000 / ms_per_image,
        "ms_per_image": ms_per_image,
        "throughput_source": "derived, checked" if checked else "derived",
        "transformer_passes": cell.sweet_spot,
    }


def test_set_table(inputs: Inputs, result: Result) -> pa.Table:
    """One row per test image."""
    test_set, blocks, audit = inputs.test_set, result.blocks, result.audit
    columns = {
        "image_id": test_set.image_ids,
        "block": np.concatenate([np.full(len(block.image_ids), i) for i, block in enumerate(blocks)]),
        "hole_ratio": test_set.hole.mean((1, 2)),
        "copy_of": test_set.image_ids[audit.copy_of],
        "in_training": audit.in_training if audit.folders else np.full(len(audit.copy_of), None),
        "pixels_sha256": np.array(test_set.pixel_sha256),
        "mask_sha256": np.array([hashlib.sha256(hole.tobytes()).hexdigest() for hole in test_set.hole]),
        "truth_sha256": np.array([digest for block in blocks for digest in block.identity.truth]),
    }
    return _stack([columns], TEST_SET)


def images_table(inputs: Inputs, jobs: list[Job], result: Result) -> pa.Table:
    """One row per cell and test image."""
    hole = torch.from_numpy(inputs.test_set.hole)
    token_ratio = {job.name: token_mask(hole, job.model.cell).float().mean(1).numpy() for job in jobs}
    hole_ratio = inputs.test_set.hole.mean((1, 2))
    N = len(hole_ratio)
    columns = [
        {
            "cell_id": np.full(N, score.cell.cell_id),
            "image_id": inputs.test_set.image_ids,
            "hole_ratio": hole_ratio,
            "token_hole_ratio": token_ratio[score.cell.trajectory.checkpoint],
            **score.images,
        }
        for score in result.scores
    ]
    return _stack(columns, IMAGES)


def steps_table(jobs: list[Job], result: Result, store: Store) -> pa.Table:
    """One row per trajectory, test image and executed step."""
    columns = []
    for job in jobs:
        work = job.stored(result.blocks, store)
        for trajectory, last in job.plan.trajectories.items():
            for block in result.blocks:
                record = record_of(work, trajectory, block.identity)
                columns.append(_steps_of(trajectory, record, block.image_ids, last))
    return _stack(columns, STEPS)


def _steps_of(trajectory: Trajectory, record: Record, image_ids: np.ndarray, last: int) -> dict[str, np.ndarray]:
    """The steps of one trajectory over one block, up to the last step that a cell needs."""
    B = len(image_ids)
    return {
        "trajectory_id": np.full(last * B, trajectory.trajectory_id),
        "image_id": np.tile(image_ids, last),
        "step": np.repeat(np.arange(1, last + 1), B),
        "masked_left": record.masked_left[:last].reshape(-1),
        "mean_confidence": record.confidence[:last].reshape(-1),
    }


def metrics_table(result: Result, sources: Sequence[Source]) -> pa.Table:
    """One row per cell, extractor, metric and subset of the test images."""
    rows: list[Row] = []
    for score in result.scores:
        rows += _number_rows({"cell_id": score.cell.cell_id}, score.numbers, sources)
    return pa.Table.from_pylist(rows, schema=METRICS)


def references_table(result: Result, sources: Sequence[Source]) -> pa.Table:
    """One row per reference row, extractor, metric and subset of the test images."""
    rows: list[Row] = []
    for score in result.rows:
        row = score.row
        identity = {"reference": row.name, "checkpoint": row.checkpoint, "compose": row.compose}
        rows += _number_rows(identity, score.numbers, sources)
    return pa.Table.from_pylist(rows, schema=REFERENCES)


def _number_rows(identity: Row, numbers: Sequence[Number], sources: Sequence[Source]) -> list[Row]:
    """One row per number: the columns of `identity`, the number, and True if its extractor has the known weights."""
    verified = {source.name: source.verified for source in sources}
    return [{**identity, **asdict(number), "features_verified": verified.get(number.features)} for number in numbers]


def _stack(columns: list[dict[str, np.ndarray]], schema: pa.Schema) -> pa.Table:
    """Concatenate dictionaries of arrays with the same names into one table of a schema."""
    return pa.table({name: np.concatenate([part[name] for part in columns]) for name in schema.names}, schema=schema)
