"""Stored work, found again: records, features and pixel errors of cells, by the keys of what they depend on (no torch).

The scores are made from it while a run is driven; the gate reads it from a finished run, with neither data set nor
checkpoint at hand.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pandas as pd
import pyarrow as pa

from bench.canvases import addresses, canvases_of_cell, vectors
from bench.folder import RunFolder
from bench.keys import BlockIdentity, Numerics, feature_key, model_key, pixels_key, reference_key, trajectory_key
from bench.plan import Cell, Trajectory
from bench.records import Record, read_record
from bench.store import Store
from maskgit.errors import InputError

FEATURES, PIXELS, REFERENCE = "features", "pixels", "reference"


@dataclass(frozen=True)
class StoredWork:
    """What a store holds of one model over a test set.

    Attributes:
        store: Where it lies.
        blocks: The test set's blocks by content, in order of image id.
        model: Fingerprint of the model.
        numerics: What may change the last bit of a network's output.
    """

    store: Store
    blocks: tuple[BlockIdentity, ...]
    model: str
    numerics: Numerics

    def key(self, block: BlockIdentity) -> str:
        """Key of a block's model layer."""
        return model_key(self.model, block, self.numerics)

    def table(self, kind: str, key: str) -> pa.Table:
        """All rows under a key.

        Raises:
            InputError: There are none.
        """
        table = self.store.read(kind, key)
        if table is None:
            raise _gone(self.store, kind)
        return table


def open_stored(run: RunFolder, checkpoint: str) -> StoredWork:
    """The stored work of one checkpoint of a finished run.

    Raises:
        InputError: The run has no such checkpoint.
    """
    known = {entry["name"]: entry["fingerprint"] for entry in run.record["checkpoints"]}
    if checkpoint not in known:
        raise InputError(f"{run.path}: no checkpoint {checkpoint!r} in it; it has {', '.join(known)}")
    blocks = tuple(_identity(rows) for _, rows in run.test_set.groupby("block", sort=True))
    return StoredWork(Store(run.store), blocks, known[checkpoint], Numerics(**run.record["numerics"]))


def cell_of(row: pd.Series) -> Cell:
    """The cell that a row of cells.parquet is about."""
    names = Trajectory.__dataclass_fields__
    plain = {name: value.item() if isinstance(value, np.generic) else value for name, value in row.items()}
    return Cell(Trajectory(**{name: plain[name] for name in names}), plain["sweet_spot"], plain["compose"])


def record_of(work: StoredWork, trajectory: Trajectory, block: BlockIdentity) -> Record:
    """The record of a trajectory over a block.

    Raises:
        InputError: It is not in the store.
    """
    record = read_record(work.store, trajectory_key(work.key(block), block, trajectory.decode_settings))
    if record is None:
        raise _gone(work.store, "trajectories")
    return record


def cell_features(work: StoredWork, cells: Iterable[Cell], extractor: str) -> dict[Cell, np.ndarray]:
    """Features (N, D) float32 of every cell, images in order of id; `extractor` is its fingerprint.

    Raises:
        InputError: Something is not in the store.
    """
    wanted = tuple(cells)
    parts: dict[Cell, list[np.ndarray]] = {cell: [] for cell in wanted}
    for block in work.blocks:
        table = work.table(FEATURES, feature_key(work.key(block), extractor))
        matrix = vectors(table)
        for cell, rows in _rows(work, wanted, block, table).items():
            parts[cell].append(matrix[rows])
    return {cell: np.concatenate(part) for cell, part in parts.items()}


def cell_pixel_errors(
    work: StoredWork, cells: Iterable[Cell], names: Iterable[str]
) -> dict[Cell, dict[str, np.ndarray]]:
    """Columns (N,) of the stored pixel errors of every cell, images in order of id.

    Raises:
        InputError: Something is not in the store.
    """
    wanted, names = tuple(cells), tuple(names)
    parts: dict[Cell, list[pa.Table]] = {cell: [] for cell in wanted}
    for block in work.blocks:
        table = work.table(PIXELS, pixels_key(work.key(block), block))
        for cell, rows in _rows(work, wanted, block, table).items():
            parts[cell].append(table.select(names).take(rows))
    joined = {cell: pa.concat_tables(part) for cell, part in parts.items()}
    return {cell: {name: table[name].to_numpy() for name in names} for cell, table in joined.items()}


def truth_features(work: StoredWork, extractor: str) -> np.ndarray:
    """Features (N, D) float32 of the ground truth, images in order of id; `extractor` is its fingerprint.

    Raises:
        InputError: They are not in the store.
    """
    keys = [reference_key(block, extractor, work.numerics) for block in work.blocks]
    return np.concatenate([vectors(work.table(REFERENCE, key)) for key in keys])


def _rows(work: StoredWork, cells: tuple[Cell, ...], block: BlockIdentity, table: pa.Table) -> dict[Cell, list[int]]:
    """Of every cell, the rows of a table by canvas that hold its images."""
    index = addresses(table)
    records = {trajectory: record_of(work, trajectory, block) for trajectory in {cell.trajectory for cell in cells}}
    try:
        return {
            cell: [
                index[canvas.address] for canvas in canvases_of_cell(cell, records[cell.trajectory], block.image_ids)
            ]
            for cell in cells
        }
    except (KeyError, IndexError):
        raise _gone(work.store, "canvases") from None


def _identity(rows: pd.DataFrame) -> BlockIdentity:
    ordered = rows.sort_values("image_id")
    return BlockIdentity(
        tuple(int(i) for i in ordered.image_id), tuple(ordered.pixels_sha256), tuple(ordered.truth_sha256)
    )


def _gone(store: Store, kind: str) -> InputError:
    return InputError(
        f"{store.root}: {kind} of the run are not there; the same `maskbench run` command computes what is missing"
    )
