"""All errors of pictures against their originals that are stored image by image: PSNR, mean error and SSIM."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from bench.metrics.pixels import PEAK, border_ring, mean_absolute_error, psnr_db
from maskgit.tiles import tiled

PICTURE_ERRORS = ("psnr_hole_db", "mae_hole", "ssim_hole", "psnr_ring_db", "ssim_ring")


def picture_errors(
    images: NDArray[np.uint8], truth: NDArray[np.uint8], hole: NDArray[np.bool_], tile: int
) -> dict[str, NDArray[np.float32]]:
    """Errors of every image in its hole and in the ring around the hole's border.

    Args:
        images: (N, 3, H, W) uint8, repainted.
        truth: (N, 3, H, W) uint8, the originals.
        hole: (N, H, W) bool, True where repainted.
        tile: Images a network-like call, so that no number depends on what else is measured.

    Returns:
        (N,) float32 by the names in `PICTURE_ERRORS`; dB, grey levels from 0 to 255, SSIM up to 1.
    """
    ring, similarity = border_ring(hole), ssim_maps(images, truth, tile)
    errors = {
        "psnr_hole_db": psnr_db(images, truth, hole),
        "mae_hole": mean_absolute_error(images, truth, hole),
        "ssim_hole": similarity.mean((1, 2), where=hole),
        "psnr_ring_db": psnr_db(images, truth, ring),
        "ssim_ring": similarity.mean((1, 2), where=ring),
    }
    return {name: errors[name].astype(np.float32) for name in PICTURE_ERRORS}


def ssim_maps(images: NDArray[np.uint8], truth: NDArray[np.uint8], tile: int) -> NDArray[np.float64]:
    """Structural similarity at every pixel, (N, H, W), the mean over channels (Wang et al. 2004, equation 13).

    torchmetrics' implementation: Gaussian window of σ = 1.5 px, K₁ = 0.01, K₂ = 0.03, mirrored edges. A value at the
    border of a hole sees some pixels of its other side.
    """
    # Here, because torchmetrics takes seconds to import.
    from torchmetrics.functional.image.ssim import structural_similarity_index_measure

    def network(pairs: Tensor) -> Tensor:
        a, b = pairs.float().div(PEAK).unbind(1)
        return structural_similarity_index_measure(a, b, data_range=1.0, reduction="none", return_full_image=True)[1]

    pairs = torch.stack([torch.from_numpy(images), torch.from_numpy(truth)], dim=1)
    return tiled(network, pairs, tile).double().mean(1).numpy()
