"""Stored work, read back: records, features and pixel errors of cells, looked up by their keys (no torch).

A run computes its scores from stored work. The gate reads it from a finished run, without the data set or a checkpoint.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

import numpy as np
import pyarrow as pa

from bench.store.canvases import Canvas, addresses, canvases_of_cell, vectors
from bench.store.keys import BlockIdentity, Numerics, feature_key, model_key, pixels_key, reference_key, trajectory_key
from bench.store.kinds import ADDRESS_COLUMNS, FEATURES, PIXELS, REFERENCE, TRAJECTORIES
from bench.store.records import Record, read_record
from bench.store.store import Store
from maskgit.errors import InputError

if TYPE_CHECKING:
    import pandas as pd

    from bench.grid.plan import Cell, Trajectory
    from bench.results.folder import RunFolder

Key = TypeVar("Key", bound=Hashable)


@dataclass(frozen=True)
class StoredWork:
    """The stored work of one model over a test set.

    Attributes:
        store: The store.
        blocks: Contents of the test set's blocks, in order of image id.
        model: Fingerprint of the model.
        numerics: Everything that may change the last bit of a network's output.
    """

    store: Store
    blocks: tuple[BlockIdentity, ...]
    model: str
    numerics: Numerics

    def key(self, block: BlockIdentity) -> str:
        """Key of the model layer of a block."""
        return model_key(self.model, block, self.numerics)

    def table(self, kind: str, key: str) -> pa.Table:
        """All rows under a key.

        Raises:
            InputError: There are no rows.
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
    known = {entry.name: entry.fingerprint for entry in run.record.checkpoints}
    if checkpoint not in known:
        raise InputError(f"{run.path}: no checkpoint {checkpoint!r} in this run; it has {', '.join(known)}")
    blocks = tuple(_identity(rows) for _, rows in run.test_set.groupby("block", sort=True))
    return StoredWork(Store(run.store), blocks, known[checkpoint], _numerics(run))


def record_of(work: StoredWork, trajectory: Trajectory, block: BlockIdentity, until: int = 1) -> Record:
    """The record of a trajectory over a block, at least up to step `until`.

    Raises:
        InputError: The record is not in the store, or ends before that step.
    """
    record = read_record(work.store, trajectory_key(work.key(block), block, trajectory.decode_settings))
    if record is None or record.last_step < until:
        raise _gone(work.store, TRAJECTORIES)
    return record


def cell_features(work: StoredWork, cells: Iterable[Cell], extractor: str) -> dict[Cell, np.ndarray]:
    """Features (N, D) float32 of every cell, images in order of id; `extractor` is its fingerprint.

    Raises:
        InputError: The store lacks some of the work.
    """
    return features_at(work, cell_canvases(work, cells), extractor)


def cell_canvases(work: StoredWork, cells: Iterable[Cell]) -> dict[Cell, list[list[Canvas]]]:
    """The canvases of every cell, block by block.

    Raises:
        InputError: A record is not in the store, or ends before a cell's sweet spot.
    """
    cells = tuple(cells)
    by_cell: dict[Cell, list[list[Canvas]]] = {cell: [] for cell in cells}
    for block in work.blocks:
        records = {trajectory: record_of(work, trajectory, block) for trajectory in {c.trajectory for c in cells}}
        for cell in cells:
            record = records[cell.trajectory]
            if record.last_step < cell.sweet_spot:
                raise _gone(work.store, TRAJECTORIES)
            by_cell[cell].append(canvases_of_cell(cell, record, block.image_ids))
    return by_cell


def features_at(work: StoredWork, canvases: Mapping[Key, list[list[Canvas]]], extractor: str) -> dict[Key, np.ndarray]:
    """Features (N, D) float32 of sets of canvases, each given block by block; `extractor` is its fingerprint.

    Raises:
        InputError: The store lacks some of the work.
    """
    tables = [work.table(FEATURES, feature_key(work.key(block), extractor)) for block in work.blocks]
    matrices = [vectors(table) for table in tables]
    return {
        key: np.concatenate([matrix[rows] for matrix, rows in zip(matrices, parts, strict=True)])
        for key, parts in _rows(work, canvases, tables).items()
    }


def errors_at(work: StoredWork, canvases: Mapping[Key, list[list[Canvas]]]) -> dict[Key, dict[str, np.ndarray]]:
    """The stored pixel errors of sets of canvases against their originals, (N,) by name.

    Raises:
        InputError: The store lacks some of the work.
    """
    tables = [work.table(PIXELS, pixels_key(work.key(block), block)) for block in work.blocks]
    names = [name for name in tables[0].column_names if name not in ADDRESS_COLUMNS]
    joined = {
        key: pa.concat_tables([table.select(names).take(rows) for table, rows in zip(tables, parts, strict=True)])
        for key, parts in _rows(work, canvases, tables).items()
    }
    return {key: {name: table[name].to_numpy() for name in names} for key, table in joined.items()}


def truth_features(work: StoredWork, extractor: str) -> np.ndarray:
    """Features (N, D) float32 of the ground truth, images in order of id; `extractor` is its fingerprint.

    Raises:
        InputError: The features are not in the store.
    """
    keys = [reference_key(block, extractor, work.numerics) for block in work.blocks]
    return np.concatenate([vectors(work.table(REFERENCE, key)) for key in keys])


def _rows(
    work: StoredWork, canvases: Mapping[Key, list[list[Canvas]]], tables: list[pa.Table]
) -> dict[Key, list[list[int]]]:
    """Row numbers of every set of canvases in the blocks' tables, block by block."""
    indices = [addresses(table) for table in tables]
    try:
        return {
            key: [[index[canvas.address] for canvas in part] for index, part in zip(indices, parts, strict=True)]
            for key, parts in canvases.items()
        }
    except KeyError:
        raise _gone(work.store, "canvases") from None


def _identity(rows: pd.DataFrame) -> BlockIdentity:
    ordered = rows.sort_values("image_id")
    return BlockIdentity(
        tuple(int(i) for i in ordered.image_id), tuple(ordered.pixels_sha256), tuple(ordered.truth_sha256)
    )


def _numerics(run: RunFolder) -> Numerics:
    if run.record.numerics is None:
        raise InputError(
            f"{run.path / 'run.json'}: numerics is missing, but stored work cannot be found without it; run it again"
        )
    return Numerics(**run.record.numerics.model_dump())


def _gone(store: Store, kind: str) -> InputError:
    reasons = [f"{path}: damaged ({damage})" for path, damage in store.damaged.items()]
    reason = reasons[0] if reasons else f"{store.root}: {kind} of the run are missing"
    return InputError(f"{reason}; the same `maskbench run` command computes what is missing")
