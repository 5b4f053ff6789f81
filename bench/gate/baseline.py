"""Saving a baseline: what a gate needs of a run's cells, small enough to keep beside the code.

A baseline is a folder that opens like a run's: `run.json`, the rows of `cells.parquet` that were asked for, and
`test_set.parquet`; in place of the store, `features.safetensors` holds the features of those cells and of the originals in
half precision. That rounds a feature by at most 2⁻¹¹ of itself, independently for each, which adds about 10⁻⁷ of the
features' second moment to a distance: far below its standard error.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow.compute as pc
from safetensors.numpy import save

from bench.files import prepare_folder, write_bytes, write_json
from bench.results.finished_run import FEATURES_FILE, TRUTH, features, open_evaluated, truth
from bench.results.schema import write_table
from maskgit.errors import InputError
from maskgit.files import sweep

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

LARGEST_HALF = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class Saved:
    """What was written: number of cells, and bytes in all."""

    cells: int
    size_bytes: int


def save_baseline(run: Path, folder: Path, cell_ids: Sequence[str] = ()) -> Saved:
    """Write the baseline of a finished run.

    Args:
        run: The run folder.
        folder: A new or empty folder, or one that holds a baseline already (which is replaced).
        cell_ids: The cells to keep; all of them by default.

    Raises:
        InputError: An unknown cell, features that are not in the store any more, or a folder that holds something else.
        IncompleteRunError: The run has not come to its end.
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
    cells, test_set = side.run.table("cells"), side.run.table("test_set")
    prepare_folder(folder)
    (folder / "run.json").unlink(missing_ok=True)  # it comes back last: a baseline half replaced opens as none
    write_bytes(folder / FEATURES_FILE, save({name: _halved(rows) for name, rows in tensors.items()}))
    write_table(folder / "cells.parquet", cells.filter(pc.field("cell_id").isin(ids)))
    write_table(folder / "test_set.parquet", test_set)
    # A checkpoint without a cell here would count as one to be compared.
    named = {cell.trajectory.checkpoint for cell in kept}
    checkpoints = tuple(entry for entry in side.run.record.checkpoints if entry.name in named)
    write_json(folder / "run.json", side.run.record.model_copy(update={"checkpoints": checkpoints}).to_json())
    return Saved(len(ids), sum(path.stat().st_size for path in folder.iterdir()))


def _halved(rows: np.ndarray) -> np.ndarray:
    """Half precision, where the values fit into it."""
    rows = np.ascontiguousarray(rows)
    return rows.astype(np.float16) if np.abs(rows).max() <= LARGEST_HALF else rows


def _require_replaceable(folder: Path, run: Path) -> None:
    """Refuse to write into a folder that holds anything but an earlier baseline, once it is cleared of leftovers."""
    sweep(folder)
    if not folder.exists() or (folder / FEATURES_FILE).is_file():
        return
    if not folder.is_dir() or any(folder.iterdir()):
        raise InputError(f"{folder}: holds something else than a baseline of {run}; name a new folder")
