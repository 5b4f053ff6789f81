"""Runtime: device and numerics of the networks; no result depends on the other images in its batch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor

from maskgit.tiles import tiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.store.keys import Numerics


@dataclass(frozen=True)
class Runtime:
    """A device, and everything that may change the last bit of a network's output on it; every network call is one tile."""

    device: str
    numerics: Numerics

    @property
    def tile(self) -> int:
        """Images per network call."""
        return self.numerics.tile

    def tensor(self, array: np.ndarray) -> Tensor:
        """An array on the device."""
        return torch.from_numpy(array).to(self.device)

    def map(self, network: Callable[[Tensor], Tensor], batch: Tensor) -> Tensor:
        """Apply a network to a batch (B, …) on the device, tile by tile.

        Raises:
            InputError: One tile does not fit into memory.
        """
        return tiled(network, batch, self.tile)

    def map_array(self, network: Callable[[Tensor], Tensor], batch: np.ndarray) -> np.ndarray:
        """Apply a network to an array (B, …), tile by tile; returns an array.

        Raises:
            InputError: One tile does not fit into memory.
        """
        return np.asarray(self.map(network, self.tensor(batch)).cpu().numpy())
