"""Saving of a baseline: the data that a gate needs from a run's cells, small enough to commit with the code.

A baseline is a folder that opens like a run folder: `run.json`, the requested rows of `cells.parquet`,
`references.parquet` (for the rFID floor) and `test_set.parquet`. Instead of a store, `features.safetensors` has the features
of those cells and of the originals in half precision. This rounds each feature independently by at most 2⁻¹¹ of its value,
which adds about 10⁻⁷ of the features' second moment to a distance: far below its standard error.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from safetensors.numpy import save

from bench.files import prepare_folder, write_bytes
from bench.gate.limits import REFERENCES_FILE
from bench.results.finished_run import FEATURES_FILE, TRUTH, features, open_evaluated, truth
from bench.results.record import write_record
from bench.results.schema import write_table
from maskgit.errors import InputError
from maskgit.files import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Saved:
    """The size of a saved baseline: number of cells and total bytes."""

    cells: int
    size_bytes: int


def save_baseline(run: Path, folder: Path, cell_ids: Sequence[str] = ()) -> Saved:
    """Write the baseline of a finished run.

    Args:
        run: The run folder.
        folder: A new or empty folder, or an existing baseline, which is replaced.
        cell_ids: The cells to keep; all of them by default.

    Raises:
        InputError: A cell is unknown, features are no longer in the store, or the folder holds something else.
        IncompleteRunError: The run is not finished.
    """
    side = open_evaluated(run)
    known = {scored.cell.cell_id: scored.cell for scored in side.scored}
    unknown = [cell_id for cell_id in cell_ids if cell_id not in known]
    if unknown:
        raise InputError(f"--cell {unknown[0]}: no such cell in {run}; see the column cell_id of cells.parquet")
    kept = [known[cell_id] for cell_id in dict.fromkeys(cell_ids)] or list(known.values())
    _require_replaceable(folder, run)
    tensors = {TRUTH: truth(side), **{cell.cell_id: rows for cell, rows in features(side, kept).items()}}
    ids = [cell.cell_id for cell in kept]
    tables = {
        "cells": side.run.table("cells").filter(pc.field("cell_id").isin(ids)),
        "test_set": side.run.table("test_set"),
    }
    if (run / REFERENCES_FILE).is_file():
        tables["references"] = side.run.table("references")
    prepare_folder(folder)
    (folder / "run.json").unlink(missing_ok=True)  # written last: a half-replaced baseline does not open as a run
    content = save({name: _halved(rows) for name, rows in tensors.items()})
    write_bytes(folder / FEATURES_FILE, content)
    (folder / REFERENCES_FILE).unlink(missing_ok=True)  # of an earlier baseline
    files = {FEATURES_FILE: hashlib.sha256(content).hexdigest()}
    files |= {f"{name}.parquet": write_table(folder / f"{name}.parquet", table) for name, table in tables.items()}
    # A checkpoint without a saved cell would count as one to compare.
    named = {cell.trajectory.checkpoint for cell in kept}
    checkpoints = tuple(entry for entry in side.run.record.checkpoints if entry.name in named)
    write_record(folder, side.run.record.model_copy(update={"checkpoints": checkpoints, "files": files}))
    return Saved(len(ids), sum(path.stat().st_size for path in folder.iterdir()))


def _halved(rows: np.ndarray) -> np.ndarray:
    """Rows in half precision, if the values fit."""
    rows = np.ascontiguousarray(rows)
    return rows.astype(np.float16) if np.abs(rows).max() <= LARGEST_HALF else rows


def _require_replaceable(folder: Path, run: Path) -> None:
    """Refuse a folder that has anything but an earlier baseline in it, after leftovers are removed."""
    sweep(folder)
    if not folder.exists() or (folder / FEATURES_FILE).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputError(
            f"{folder}: is not empty and holds no baseline, so {run} is not saved to it; name a new folder"
        )
