"""Records of decoding: the canvases of every executed step of a trajectory over a block (no torch)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from bench.store.kinds import TRAJECTORIES

if TYPE_CHECKING:
    from bench.store.store import Store


@dataclass(frozen=True)
class Record:
    """Steps 1 … S of one trajectory over one block of B images with N tokens each.

    canvases (S, B, N) uint16, complete · masks (S, B, N) bool, True = still masked after the step · confidence (S, B)
    float32, mean model probability of the tokens drawn in the step.
    """

    canvases: np.ndarray
    masks: np.ndarray
    confidence: np.ndarray

    @property
    def last_step(self) -> int:
        """S, the last executed step."""
        return len(self.canvases)

    @property
    def masked_left(self) -> np.ndarray:
        """Tokens still masked after each step, (S, B)."""
        return np.asarray(self.masks.sum(axis=2))


def to_table(record: Record, image_ids: np.ndarray, first_step: int) -> pa.Table:
    """A record as rows (step, image): the canvas as N uint16, the mask as packed bits."""
    S, B, N = record.canvases.shape
    packed = np.packbits(record.masks.reshape(S * B, N), axis=1)
    return pa.table(
        {
            "step": pa.array(np.repeat(np.arange(first_step, first_step + S, dtype=np.int32), B)),
            "image_id": pa.array(np.tile(image_ids, S)),
            "canvas": pa.FixedSizeListArray.from_arrays(pa.array(record.canvases.reshape(-1)), N),
            "mask": pa.array([row.tobytes() for row in packed], pa.binary(packed.shape[1])),
            "mean_confidence": pa.array(record.confidence.reshape(-1)),
        }
    )


def read_record(store: Store, key: str) -> Record | None:
    """The stored steps of a trajectory over a block, images in order of id; None if nothing is stored."""
    return from_table(store.read(TRAJECTORIES, key))


def from_table(table: pa.Table | None) -> Record | None:
    """The record in rows (step, image) of any order: steps from 1 to the first gap, or None if step 1 is missing."""
    if table is None:
        return None
    steps, image_ids = table["step"].to_numpy(), table["image_id"].to_numpy()
    B = len(np.unique(image_ids))
    S = _steps_without_gap(steps, B)
    if S == 0:
        return None
    table = table.take(np.lexsort((image_ids, steps))[: S * B])
    canvases = table["canvas"].combine_chunks().flatten().to_numpy().reshape(S, B, -1)
    N = canvases.shape[2]
    packed = np.frombuffer(b"".join(table["mask"].to_pylist()), np.uint8).reshape(S * B, -1)
    masks = np.unpackbits(packed, axis=1, count=N).astype(bool).reshape(S, B, N)
    return Record(canvases, masks, table["mean_confidence"].to_numpy().reshape(S, B))


def _steps_without_gap(steps: np.ndarray, B: int) -> int:
    """The largest S such that each of the steps 1 … S has B rows."""
    distinct, rows = np.unique(steps, return_counts=True)
    complete = (distinct == np.arange(1, len(distinct) + 1)) & (rows == B)
    return len(distinct) if complete.all() else int(np.argmin(complete))
