"""Canvases: the complete token grids of images, and the addresses of their stored features and pixel errors (no torch)."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.store.kinds import ADDRESS_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from bench.grid.plan import Cell, Trajectory
    from bench.store.records import Record

Address = tuple[int, bytes, str]
"""Address of stored features and pixel errors: image id, digest of the canvas, composition."""


@dataclass(frozen=True)
class Canvas:
    """One distinct canvas of one image of a block, composed in one way."""

    row: int  # of the image in its block
    image_id: int
    digest: bytes
    compose: str

    @property
    def address(self) -> Address:
        """Address of its features and pixel errors in the store."""
        return self.image_id, self.digest, self.compose


def canvases_of_cell(cell: Cell, record: Record, image_ids: Sequence[int] | np.ndarray) -> list[Canvas]:
    """The canvas of every image of a block at a cell's sweet spot, in the block's order."""
    return canvases_of_tokens(record.canvases[cell.sweet_spot - 1], image_ids, cell.compose)


def canvases_of_tokens(tokens: np.ndarray, image_ids: Sequence[int] | np.ndarray, compose: str) -> list[Canvas]:
    """The canvases with the given tokens, (B, N) uint16, one per image of a block."""
    return [Canvas(row, int(image_id), _digest(tokens[row]), compose) for row, image_id in enumerate(image_ids)]


def unique_canvases(
    cells: Iterable[Cell], records: Mapping[Trajectory, Record], image_ids: np.ndarray
) -> dict[Canvas, np.ndarray]:
    """The distinct canvases of a block in the given cells, each with its tokens (N,), in order of first appearance."""
    unique: dict[Canvas, np.ndarray] = {}
    for cell in cells:
        record = records[cell.trajectory]
        for canvas in canvases_of_cell(cell, record, image_ids):
            unique.setdefault(canvas, record.canvases[cell.sweet_spot - 1, canvas.row])
    return unique


def addresses(table: pa.Table | None) -> dict[Address, int]:
    """Row number by address."""
    if table is None:
        return {}
    columns = (table[name].to_pylist() for name in ADDRESS_COLUMNS)
    return {address: row for row, address in enumerate(zip(*columns, strict=True))}


def to_table(canvases: Sequence[Canvas], values: Mapping[str, np.ndarray]) -> pa.Table:
    """One row per canvas: its address and its values by name. A vector is a column, a matrix a column of fixed-size lists."""
    table = {
        "image_id": pa.array([canvas.image_id for canvas in canvases], pa.int64()),
        "canvas": pa.array([canvas.digest for canvas in canvases], pa.binary(16)),
        "compose": pa.array([canvas.compose for canvas in canvases], pa.string()),
    }
    return pa.table({**table, **{name: column(value) for name, value in values.items()}})


def column(values: np.ndarray) -> pa.Array:
    """A vector as a column, a matrix (rows, D) as a column of lists of D."""
    if values.ndim == 1:
        return pa.array(values)
    return pa.FixedSizeListArray.from_arrays(pa.array(np.ascontiguousarray(values).reshape(-1)), values.shape[1])


def vectors(table: pa.Table, name: str = "feature") -> np.ndarray:
    """A column of fixed-size lists as a matrix (rows, D)."""
    lists = table[name].combine_chunks()
    return np.asarray(lists.flatten().to_numpy().reshape(len(lists), -1))


def _digest(tokens: np.ndarray) -> bytes:
    return hashlib.sha256(np.ascontiguousarray(tokens).tobytes()).digest()[:16]
