"""Stored work, found again: records, features and pixel errors of cells, by the keys of what they depend on (no torch).

The scores are made from it while a run is driven; the gate reads it from a finished run, with neither data set nor
checkpoint at hand.
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
    known = {entry.name: entry.fingerprint for entry in run.record.checkpoints}
    if checkpoint not in known:
        raise InputError(f"{run.path}: no checkpoint {checkpoint!r} in it; it has {', '.join(known)}")
    blocks = tuple(_identity(rows) for _, rows in run.test_set.groupby("block", sort=True))
    return StoredWork(Store(run.store), blocks, known[checkpoint], _numerics(run))


def record_of(work: StoredWork, trajectory: Trajectory, block: BlockIdentity, until: int = 1) -> Record:
    """The record of a trajectory over a block, up to step `until` at least.

    Raises:
        InputError: It is not in the store, or does not reach so far.
    """
    record = read_record(work.store, trajectory_key(work.key(block), block, trajectory.decode_settings))
    if record is None or record.last_step < until:
        raise _gone(work.store, TRAJECTORIES)
    return record


def cell_features(work: StoredWork, cells: Iterable[Cell], extractor: str) -> dict[Cell, np.ndarray]:
    """Features (N, D) float32 of every cell, images in order of id; `extractor` is its fingerprint.

    Raises:
        InputError: Something is not in the store.
    """
    return features_at(work, cell_canvases(work, cells), extractor)


def cell_canvases(work: StoredWork, cells: Iterable[Cell]) -> dict[Cell, list[list[Canvas]]]:
    """The canvases of every cell, block by block.

    Raises:
        InputError: A record is not in the store, or does not reach a cell's sweet spot.
    """
    wanted = tuple(cells)
    found: dict[Cell, list[list[Canvas]]] = {cell: [] for cell in wanted}
    for block in work.blocks:
        records = {trajectory: record_of(work, trajectory, block) for trajectory in {c.trajectory for c in wanted}}
        for cell in wanted:
            record = records[cell.trajectory]
            if record.last_step < cell.sweet_spot:
                raise _gone(work.store, TRAJECTORIES)
            found[cell].append(canvases_of_cell(cell, record, block.image_ids))
    return found


def features_at(work: StoredWork, canvases: Mapping[Key, list[list[Canvas]]], extractor: str) -> dict[Key, np.ndarray]:
    """Features (N, D) float32 of sets of canvases, each given block by block; `extractor` is its fingerprint.

    Raises:
        InputError: Something is not in the store.
    """
    tables = [work.table(FEATURES, feature_key(work.key(block), extractor)) for block in work.blocks]
    matrices = [vectors(table) for table in tables]
    return {
        key: np.concatenate([matrix[rows] for matrix, rows in zip(matrices, parts, strict=True)])
        for key, parts in _rows(work, canvases, tables).items()
    }


def errors_at(work: StoredWork, canvases: Mapping[Key, list[list[Canvas]]]) -> dict[Key, dict[str, np.ndarray]]:
    """The stored errors of sets of canvases against their originals, (N,) by name.

    Raises:
        InputError: Something is not in the store.
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
        InputError: They are not in the store.
    """
    keys = [reference_key(block, extractor, work.numerics) for block in work.blocks]
    return np.concatenate([vectors(work.table(REFERENCE, key)) for key in keys])


def _rows(
    work: StoredWork, canvases: Mapping[Key, list[list[Canvas]]], tables: list[pa.Table]
) -> dict[Key, list[list[int]]]:
    """For every set of canvases, block by block, the rows of the blocks' tables that hold it."""
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
        raise InputError(f"{run.path / 'run.json'}: numerics is missing, by which stored work is found; run it again")
    return Numerics(**run.record.numerics.model_dump())


def _gone(store: Store, kind: str) -> InputError:
    reasons = [f"{path}: damaged ({damage})" for path, damage in store.damaged.items()]
    reason = reasons[0] if reasons else f"{store.root}: {kind} of the run are not there"
    return InputError(f"{reason}; the same `maskbench run` command computes what is missing")
