"""Repainted images next to their originals: what metrics of pixels are computed of."""

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
    """N images with their originals and holes; what several metrics need is computed once.

    Attributes:
        images: (N, 3, H, W) uint8, repainted.
        truth: (N, 3, H, W) uint8, the originals.
        hole: (N, H, W) bool, True where repainted.
        tile: Images per call of what is computed with torch, so that no number depends on what else is measured.
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
        from bench.metrics.ssim import ssim_maps  # here, because it takes torch

        return ssim_maps(self.images, self.truth, self.tile)
