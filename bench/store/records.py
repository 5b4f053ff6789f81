"""Records: what decoding leaves behind, the canvases of every executed step of a trajectory over a block (no torch)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from bench.store.store import Store

KIND = "trajectories"


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
        return self.masks.sum(axis=2)


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
    """The stored steps of a trajectory over a block, images in order of their ids; None where there is none."""
    table = store.read(KIND, key)
    if table is None:
        return None
    table = table.sort_by([("step", "ascending"), ("image_id", "ascending")]).combine_chunks()
    S = int(table["step"][-1].as_py())
    B = table.num_rows // S
    canvases = table["canvas"].combine_chunks().flatten().to_numpy().reshape(S, B, -1)
    N = canvases.shape[2]
    packed = np.frombuffer(b"".join(table["mask"].to_pylist()), np.uint8).reshape(S * B, -1)
    masks = np.unpackbits(packed, axis=1, count=N).astype(bool).reshape(S, B, N)
    return Record(canvases, masks, table["mean_confidence"].to_numpy().reshape(S, B))


def join(done: Record | None, fresh: Record) -> Record:
    """The steps of a record and those that follow them."""
    if done is None:
        return fresh
    return Record(
        np.concatenate([done.canvases, fresh.canvases]),
        np.concatenate([done.masks, fresh.masks]),
        np.concatenate([done.confidence, fresh.confidence]),
    )
