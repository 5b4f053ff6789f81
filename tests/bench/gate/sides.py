"""Sides of a gate made from numbers alone: folders as `maskbench baseline save` writes them, without a run."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from safetensors.numpy import save_file

from bench.files import write_json
from bench.grid.plan import Cell, Trajectory, cell_of
from bench.grid.spec import parse_spec
from bench.results.finished_run import FEATURES_FILE, TRUTH
from bench.results.schema import REFERENCES, SCHEMA_VERSION, TEST_SET, cells_schema, write_table
from bench.store.keys import METRIC_VERSION, QUANTISATION
from maskgit.rules import Rule

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

TRAJECTORY = Trajectory("ours", "cosine", 8, Rule(), 0)


def a_cell(sweet_spot: int = 8, **settings: Any) -> Cell:
    return cell_of({**Cell(TRAJECTORY, sweet_spot, "none").settings, **settings})


@dataclass(frozen=True)
class Side:
    """Contents of a folder. features: by cell, (N, D)."""

    features: dict[Cell, np.ndarray]
    truth: np.ndarray
    image_ids: Sequence[int] = ()
    copy_of: Sequence[int] = ()
    digests: dict[str, dict[int, str]] = field(default_factory=dict)  # column → image → another digest
    record: dict[str, Any] = field(default_factory=dict)
    gate: dict[str, Any] = field(default_factory=dict)
    images_per_s: float = 10.0
    dtype: type = np.float32
    floor: float | None = None  # score of the tokenizer reconstruction
    order: int | None = None  # seed of a random order of all rows


def write_side(folder: Path, side: Side) -> None:
    folder.mkdir()
    n, dim = side.truth.shape
    ids = list(side.image_ids or range(n))
    images = pa.table(
        {
            "image_id": ids,
            "block": [0] * n,
            "hole_ratio": np.full(n, 0.2, np.float32),
            "in_training": pa.nulls(n, pa.bool_()),
            "copy_of": list(side.copy_of or ids),
            **{
                column: [side.digests.get(column, {}).get(i, f"{column[0]}{i:063d}") for i in ids]
                for column in ("pixels_sha256", "mask_sha256", "truth_sha256")
            },
        },
        schema=TEST_SET,
    )
    cells = pa.Table.from_pylist([_row(cell, side, n) for cell in side.features], schema=cells_schema("FD"))
    if side.order is not None:
        shuffle = np.random.default_rng(side.order).permutation
        images, cells = images.take(shuffle(n)), cells.take(shuffle(len(cells)))
    if side.floor is not None:
        names = sorted({cell.trajectory.checkpoint for cell in side.features})
        rows = [
            {
                "reference": "tokenizer_floor",
                "checkpoint": name,
                "compose": "none",
                "features": "numbers",
                "features_verified": True,
                "metric": "frechet_distance",
                "subset": "all",
                "value": side.floor,
                "n": n,
            }
            for name in names
        ]
        write_table(folder / "references.parquet", pa.Table.from_pylist(rows, schema=REFERENCES))
    write_table(folder / "test_set.parquet", images)
    write_table(folder / "cells.parquet", cells)
    tensors = {TRUTH: side.truth, **{cell.cell_id: rows for cell, rows in side.features.items()}}
    save_file({name: np.ascontiguousarray(rows, side.dtype) for name, rows in tensors.items()}, folder / FEATURES_FILE)
    spec = parse_spec({"model": {"checkpoint": "x"}, "data": {"dataset": "catfaces"}, "gate": side.gate}, "test")
    names = {cell.trajectory.checkpoint for cell in side.features}
    record = {
        "schema": SCHEMA_VERSION,
        "name": folder.name,
        "complete": True,
        "base": ".",
        "data": {"name": "numbers", "n_images": n},
        "spec": spec.model_dump(mode="json"),
        "checkpoints": [{"name": name, "fingerprint": f"weights of {folder.name}"} for name in sorted(names)],
        "features": [{"name": "numbers", "label": "FD", "dim": dim, "verified": True, "fingerprint": "numbers:1"}],
        "metrics": {"version": METRIC_VERSION, "quantisation": QUANTISATION},
        "throughput": {"reference_ms": 20.0},
    }
    write_json(folder / "run.json", {**record, **side.record})


def _row(cell: Cell, side: Side, n: int) -> dict[str, Any]:
    settings = {**cell.settings, "cell_id": cell.cell_id, "trajectory_id": cell.trajectory.trajectory_id}
    return {**settings, "n_images": n, "features": "numbers", "fd": 1.0, "images_per_s": side.images_per_s}
