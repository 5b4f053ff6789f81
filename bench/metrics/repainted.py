"""Repainted images and their originals, from which pixel metrics are computed."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from bench.metrics.pixels import border_ring

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray


@dataclass(frozen=True, eq=False)
class RepaintedImages:
    """N images with their originals and holes; results that several metrics need are computed once.

    Attributes:
        images: (N, 3, H, W) uint8, repainted.
        truth: (N, 3, H, W) uint8, the originals.
        hole: (N, H, W) bool, True where repainted.
        tile: Images per call of code that uses torch, so that no number depends on the other images.
    """

    images: NDArray[np.uint8]
    truth: NDArray[np.uint8]
    hole: NDArray[np.bool_]
    tile: int

    @cached_property
    def ring(self) -> NDArray[np.bool_]:
        """The pixels at the border of the hole, (N, H, W)."""
        return border_ring(self.hole)

    @cached_property
    def similarity(self) -> NDArray[np.float64]:
        """Structural similarity at every pixel, (N, H, W)."""
        from bench.metrics.ssim import ssim_maps  # here, because it imports torch

        return ssim_maps(self.images, self.truth, self.tile)
