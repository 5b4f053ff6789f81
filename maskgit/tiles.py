"""Tiles: networks see batches of one fixed size only, so that no result depends on what shares its batch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from maskgit.errors import OutOfMemory, is_out_of_memory

if TYPE_CHECKING:
    from collections.abc import Callable


def tiled(network: Callable[[Tensor], Tensor], batch: Tensor, tile: int) -> Tensor:
    """Apply a network to a batch, `tile` rows at a time; the last tile is padded by repeating its last row.

    Args:
        network: Maps (tile, …) to (tile, …), row by row.
        batch: (B, …), B ≥ 1.
        tile: Rows of every call.

    Raises:
        OutOfMemory: The device's memory does not hold one tile.
    """
    outputs = []
    try:
        for rows in batch.split(tile):
            missing = tile - len(rows)
            padded = torch.cat([rows, rows[-1:].expand(missing, *rows.shape[1:])]) if missing else rows
            outputs.append(network(padded)[: len(rows)])
        return torch.cat(outputs)
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
        raise OutOfMemory(f"out of memory on a tile of {tile} images; lower execution.tile, or free memory") from None
