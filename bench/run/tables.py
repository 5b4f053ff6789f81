"""Tables: the numbers of a run as Parquet and `run.json`."""

from __future__ import annotations

import datetime
import hashlib
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import torch

from bench.audit.copies import Audit
from bench.features.sources import Source
from bench.grid.spec import Spec
from bench.metrics.measure import ALL, FRECHET, KERNEL, Number
from bench.results.schema import (
    IMAGES,
    METRICS,
    REFERENCES,
    SCHEMA_VERSION,
    STEPS,
    TEST_SET,
    cells_schema,
    score_columns,
    write_table,
)
from bench.results.stored import record_of
from bench.run import environment
from bench.run.blocks import Block
from bench.run.caveats import summarise
from bench.run.inpaint import RunCounts
from bench.run.inputs import Inputs
from bench.run.job import Job
from bench.run.score import CellScore, RowScore
from bench.run.throughput import Check, UnitCosts, peak_memory_mb
from bench.store.keys import METRIC_VERSION, QUANTISATION, Numerics
from bench.store.store import Store
from maskgit.masks import token_mask


@dataclass(frozen=True)
class Result:
    """What a run has computed, before it is laid out in tables."""

    blocks: list[Block]
    scores: list[CellScore]
    rows: list[RowScore]
    units: dict[str, UnitCosts]
    checks: list[Check]
    reference_ms: float
    audit: Audit
    warnings: list[str]
    tallies: list[RunCounts]  # of the checkpoints
    skipped: dict[str, str]  # why, by checkpoint


def write(
    output: Path, inputs: Inputs, jobs: list[Job], sources: Sequence[Source], result: Result, store: Store
) -> None:
    """Write the tables of a run folder; cells.parquet, the last, is there once all are."""
    write_table(output / "images.parquet", images_table(inputs, jobs, result))
    write_table(output / "steps.parquet", steps_table(jobs, result, store))
    write_table(output / "test_set.parquet", test_set_table(inputs, result))
    write_table(output / "metrics.parquet", metrics_table(result, sources))
    write_table(output / "references.parquet", references_table(result, sources))
    write_table(output / "cells.parquet", cells_table(result, sources[0]))


def cells_table(result: Result, primary: Source) -> pa.Table:
    """One row a cell."""
    checked = {check.cell for check in result.checks}
    schema, names = cells_schema(primary.label), score_columns(primary.label)
    rows = []
    for score in result.scores:
        cell = score.cell
        distance = score.number(FRECHET, primary.name)
        kernel = score.number(KERNEL, primary.name)
        ms_per_image = result.units[cell.trajectory.checkpoint].ms_per_image(cell.sweet_spot)
        rows.append(
            {
                "cell_id": cell.cell_id,
                "trajectory_id": cell.trajectory.trajectory_id,
                **cell.settings,
                "n_images": distance.n,
                "features": primary.name,
                "features_verified": primary.verified,
                names["fd"]: distance.value,
                names["fd_se"]: distance.se,
                names["kd"]: kernel.value,
                names["kd_se"]: kernel.se,
                **{
                    number.metric: number.value
                    for number in score.numbers
                    if not number.features and number.subset == ALL
                },
                "images_per_s": 1000 / ms_per_image,
                "ms_per_image": ms_per_image,
                "throughput_source": "derived, checked" if cell in checked else "derived",
                "transformer_passes": cell.sweet_spot,
            }
        )
    return pa.Table.from_pylist(rows, schema=schema)


def test_set_table(inputs: Inputs, result: Result) -> pa.Table:
    """One row a test image."""
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
    """One row a cell and image."""
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
    """One row a trajectory, image and executed step."""
    columns = []
    for job in jobs:
        work = job.stored(result.blocks, store)
        for trajectory, last in job.plan.trajectories.items():
            for block in result.blocks:
                record = record_of(work, trajectory, block.identity)
                B = len(block.image_ids)
                columns.append(
                    {
                        "trajectory_id": np.full(last * B, trajectory.trajectory_id),
                        "image_id": np.tile(block.image_ids, last),
                        "step": np.repeat(np.arange(1, last + 1), B),
                        "masked_left": record.masked_left[:last].reshape(-1),
                        "mean_confidence": record.confidence[:last].reshape(-1),
                    }
                )
    return _stack(columns, STEPS)


def metrics_table(result: Result, sources: Sequence[Source]) -> pa.Table:
    """One row a cell, extractor, metric and subset of the test images."""
    rows = [{"cell_id": score.cell.cell_id, **row} for score in result.scores for row in _rows(score.numbers, sources)]
    return pa.Table.from_pylist(rows, schema=METRICS)


def references_table(result: Result, sources: Sequence[Source]) -> pa.Table:
    """One row a reference row, extractor, metric and subset of the test images."""
    rows = [
        {"reference": row.name, "checkpoint": row.checkpoint, "compose": row.compose, **number}
        for row, numbers in ((score.row, score.numbers) for score in result.rows)
        for number in _rows(numbers, sources)
    ]
    return pa.Table.from_pylist(rows, schema=REFERENCES)


def _rows(numbers: Sequence[Number], sources: Sequence[Source]) -> list[dict[str, Any]]:
    """Numbers as the tables hold them: each says whether its extractor has the known weights."""
    verified = {source.name: source.verified for source in sources}
    return [{**asdict(number), "features_verified": verified.get(number.features)} for number in numbers]


def run_record(
    spec: Spec,
    inputs: Inputs,
    jobs: list[Job],
    sources: Sequence[Source],
    result: Result,
    numerics: Numerics,
    seconds: dict[str, float],
    created: float,
    device: str,
) -> dict[str, Any]:
    """The content of run.json."""
    test_set = inputs.test_set
    n_images = len(test_set.image_ids)
    passes = sum(job.plan.passes for job in jobs) * n_images
    return {
        "schema": SCHEMA_VERSION,
        "name": spec.run.name,
        "created": _timestamp(created),
        "finished": _timestamp(created + seconds["total"]),
        "complete": not result.skipped,
        "skipped": [{"checkpoint": name, "reason": reason} for name, reason in result.skipped.items()],
        "spec": spec.model_dump(mode="json"),
        "environment": environment.describe(device, numerics.threads),
        "numerics": asdict(numerics),
        "data": {
            "name": test_set.name,
            "n_images": n_images,
            "hole_ratio_mean": float(test_set.hole.mean()),
            "image_size": int(test_set.hole.shape[-1]),
            "sources": test_set.sources,
            "sha256": _digest(result.blocks),
            **asdict(summarise(result.audit)),
        },
        "checkpoints": [_checkpoint(job, inputs) for job in jobs],
        "features": [
            {
                "name": s.name,
                "label": s.label,
                "dim": s.dim,
                "sha256": s.sha256,
                "verified": s.verified,
                "fingerprint": s.fingerprint,
            }
            for s in sources
        ],
        "metrics": {"version": METRIC_VERSION, "quantisation": QUANTISATION, "reference": "paired"},
        "throughput": {
            "tile": numerics.tile,
            "reference_ms": result.reference_ms,
            **{
                f"{part}_ms": [
                    {"checkpoint": name, **asdict(getattr(units, part))} for name, units in result.units.items()
                ]
                for part in ("encode", "step", "decode")
            },
            "checks": [
                {
                    "cell_id": check.cell.cell_id,
                    "derived_images_per_s": check.derived_images_per_s,
                    "measured_images_per_s": check.measured_images_per_s,
                    "relative_error": check.relative_error,
                }
                for check in result.checks
            ],
            "peak_memory_mb": peak_memory_mb(device),
        },
        "counts": {
            "cells": len(inputs.plan.cells),
            "trajectories": len(inputs.plan.trajectories),
            "transformer_passes": passes,
            "transformer_passes_run": sum(tally.passes for tally in result.tallies),
            "transformer_passes_unshared": inputs.plan.passes_unshared * n_images,
            "canvases": len(inputs.plan.cells) * n_images,
            "unique_canvases": sum(tally.unique_canvases for tally in result.tallies),
        },
        "seconds": {stage: round(value, 3) for stage, value in seconds.items()},
        "warnings": result.warnings,
    }


def _digest(blocks: Sequence[Block]) -> str:
    """One sha256 of everything a test set is made of: masked pictures with their masks, and originals, in order."""
    pictures = [digest for block in blocks for digest in block.pixels]
    originals = [digest for block in blocks for digest in block.identity.truth]
    return hashlib.sha256(" ".join(pictures + originals).encode()).hexdigest()


def _checkpoint(job: Job, inputs: Inputs) -> dict[str, Any]:
    found = inputs.checkpoints[job.name]
    return {
        "name": job.name,
        "kind": found.kind,
        "fingerprint": job.model.fingerprint,
        "parameters": getattr(job.model, "num_parameters", None),
        "tokens": (inputs.test_set.hole.shape[-1] // job.model.cell) ** 2,
    }


def _stack(columns: list[dict[str, np.ndarray]], schema: pa.Schema) -> pa.Table:
    """Concatenate dictionaries of equally named arrays into one table of a schema."""
    return pa.table({name: np.concatenate([part[name] for part in columns]) for name in schema.names}, schema=schema)


def _timestamp(seconds: float) -> str:
    return datetime.datetime.fromtimestamp(seconds, datetime.UTC).isoformat(timespec="seconds")
