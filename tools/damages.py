"""Damages to the images of a test set, each at any severity.

JPEG compresses with its 8×8 blocks shifted by 4 px from the image's own. Photographs that were JPEGs before have their
frequencies on a lattice. If they are compressed again on the same blocks with steps twice as wide, every odd multiple is
halfway between two steps and is rounded away from zero: a light re-compression then *sharpens* more than a heavier one
blurs, and no distance can order the two by severity. Shifted blocks have no such resonance. `jpeg_on_own_blocks` shows it.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

BLOCK_SHIFT_PX = 4
Damage = Callable[[Tensor, float, Tensor], Tensor]
"""Images (N, 3, H, W) uint8, severity, holes (N, 1, H, W) bool → damaged images."""


def blur(images: Tensor, sigma_px: float, hole: Tensor) -> Tensor:
    """Gaussian blur."""
    size = 2 * int(np.ceil(3 * sigma_px)) + 1
    return gaussian_blur(images, [size, size], [sigma_px, sigma_px])


def noise(images: Tensor, sigma: float, hole: Tensor) -> Tensor:
    """Gaussian noise, in grey levels."""
    normal = torch.randn(images.shape, generator=torch.Generator().manual_seed(0))
    return (images + sigma * normal).round().clamp(0, 255).to(torch.uint8)


def jpeg_on_own_blocks(images: Tensor, quality: float, hole: Tensor) -> Tensor:
    """Saved as JPEG and read again."""
    saved = []
    for image in images.permute(0, 2, 3, 1).numpy():
        buffer = io.BytesIO()
        Image.fromarray(image).save(buffer, "JPEG", quality=int(quality))
        saved.append(np.array(Image.open(buffer)))
    return torch.from_numpy(np.stack(saved)).permute(0, 3, 1, 2)


def jpeg(images: Tensor, quality: float, hole: Tensor) -> Tensor:
    """Saved as JPEG and read again, on blocks that begin `BLOCK_SHIFT_PX` before the image."""
    p = BLOCK_SHIFT_PX
    framed = F.pad(images.float(), (p, p, p, p), mode="reflect").to(torch.uint8)
    return jpeg_on_own_blocks(framed, quality, hole)[:, :, p:-p, p:-p].contiguous()


def hole_share(images: Tensor, share: float, hole: Tensor) -> Tensor:
    """Grey over the first `share` of every hole's pixels, in reading order."""
    rank = hole.flatten(1).cumsum(1).view_as(hole)
    limit = share * hole.flatten(1).sum(1).view(-1, 1, 1, 1)
    return torch.where(hole & (rank <= limit), torch.tensor(128, dtype=torch.uint8), images)


def hole_grown(images: Tensor, radius_px: float, hole: Tensor) -> Tensor:
    """Grey over the hole and all pixels within `radius_px` of it in rows and in columns."""
    side = 2 * int(radius_px) + 1
    grown = F.max_pool2d(hole.float(), side, stride=1, padding=int(radius_px)) > 0
    return torch.where(grown, torch.tensor(128, dtype=torch.uint8), images)
