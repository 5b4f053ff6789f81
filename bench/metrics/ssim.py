"""Structural similarity (SSIM) at every pixel: Wang et al., "Image Quality Assessment", IEEE TIP 2004."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor
from torch.nn import functional as F

from bench.metrics.pixels import PEAK
from maskgit.tiles import tiled

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SSIM_SIGMA_PX = 1.5
SSIM_RADIUS_PX = 5
"""Radius at which the Gaussian window is cut off: 11 × 11 pixels, as in the paper."""
SSIM_C1, SSIM_C2 = 0.01**2, 0.03**2
"""Constants of equation 13 for values in [0, 1]: (K₁L)² and (K₂L)² with K₁ = 0.01, K₂ = 0.03, L = 1."""


def ssim_maps(images: NDArray[np.uint8], truth: NDArray[np.uint8], tile: int) -> NDArray[np.float64]:
    """Structural similarity at every pixel, (N, H, W), averaged over channels; edges are mirrored.

    A value near the border of a hole depends on pixels on both sides.
    """
    pairs = torch.stack([torch.from_numpy(images), torch.from_numpy(truth)], dim=1)
    return tiled(lambda pair: ssim(*pair.float().div(PEAK).unbind(1)), pairs, tile).double().mean(1).numpy()


def ssim(x: Tensor, y: Tensor) -> Tensor:
    """Structural similarity at every pixel of two batches in [0, 1], (B, C, H, W) float32 (Wang et al. 2004, equation 13)."""
    edge = (SSIM_RADIUS_PX,) * 4
    x, y = F.pad(x, edge, mode="reflect"), F.pad(y, edge, mode="reflect")
    channels = x.shape[1]
    means = F.conv2d(torch.cat([x, y, x * x, y * y, x * y]), _window(channels), groups=channels)
    mean_x, mean_y, mean_xx, mean_yy, mean_xy = means.chunk(5)
    variances = (mean_xx - mean_x.square()).clamp(min=0) + (mean_yy - mean_y.square()).clamp(min=0)
    covariance = mean_xy - mean_x * mean_y
    structure, luminance = 2 * covariance + SSIM_C2, 2 * (mean_x * mean_y) + SSIM_C1
    return luminance * structure / ((mean_x.square() + mean_y.square() + SSIM_C1) * (variances + SSIM_C2))


def _window(channels: int) -> Tensor:
    """The Gaussian weights around a pixel for each channel, (C, 1, 11, 11); they sum to 1 per channel."""
    distance = torch.arange(-SSIM_RADIUS_PX, SSIM_RADIUS_PX + 1, dtype=torch.float32)
    weights = torch.exp(-(distance / SSIM_SIGMA_PX).square() / 2)
    weights = weights / weights.sum()
    return torch.outer(weights, weights).expand(channels, 1, -1, -1)
