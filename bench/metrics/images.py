"""All pixel metrics of repainted images against their originals, per image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from bench.metrics.registry import metrics_of
from bench.metrics.repainted import RepaintedImages

if TYPE_CHECKING:
    from numpy.typing import NDArray

PIXEL_METRICS = tuple(metric.name for metric in metrics_of("pixels"))


def pixel_metrics(
    images: NDArray[np.uint8], truth: NDArray[np.uint8], hole: NDArray[np.bool_], tile: int
) -> dict[str, NDArray[np.float32]]:
    """Every pixel metric of every image.

    Args:
        images: (N, 3, H, W) uint8, repainted.
        truth: (N, 3, H, W) uint8, the originals.
        hole: (N, H, W) bool, True where repainted.
        tile: Images per call of code that uses torch, so that no number depends on the other images.

    Returns:
        (N,) float32 by the names in `PIXEL_METRICS`; units as in `bench.metrics.registry`.
    """
    repainted = RepaintedImages(images, truth, hole, tile)
    return {m.name: m.per_image(repainted).astype(np.float32) for m in metrics_of("pixels") if m.per_image}
