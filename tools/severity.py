"""What an extractor's distance sees: does it rise with every level of blur, noise, JPEG and hole?

    python -m tools.severity GROUND_TRUTH MASKS [--features NAME]

prints, as a Markdown table, the Fréchet distance between photographs and versions of them, damaged at five severities.

JPEG saves with its 8×8 blocks moved by 4 px against the image's own. Photographs that were JPEGs before have their
frequencies on a lattice; saved again on the same blocks with steps twice as wide, every odd multiple lies halfway between
two steps and is rounded away from zero: a light re-compression then *sharpens*, more than a heavier one blurs, and no
distance can order the two by severity. On other blocks there is no such resonance. `jpeg_on_own_blocks` shows it.
"""

from __future__ import annotations

import argparse
import io
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from bench.features.registry import Extractor, extractor
from bench.metrics.frechet import distance, prepare
from maskgit.data.loading import load_test_set
from maskgit.errors import InputError
from maskgit.tiles import tiled

BLOCK_SHIFT_PX = 4
TILE = 16

Damage = Callable[[Tensor, float, Tensor], Tensor]
"""Images (N, 3, H, W) uint8, severity, holes (N, 1, H, W) bool → images damaged so much."""


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
    """Grey over the hole and everything within `radius_px` of it, rows and columns counted apart."""
    side = 2 * int(radius_px) + 1
    grown = F.max_pool2d(hole.float(), side, stride=1, padding=int(radius_px)) > 0
    return torch.where(grown, torch.tensor(128, dtype=torch.uint8), images)


SEVERITIES: dict[str, tuple[Damage, tuple[float, ...]]] = {
    "blur (sigma, px)": (blur, (0.5, 0.75, 1.0, 2.0, 4.0)),
    "noise (sigma, of 255)": (noise, (4, 8, 16, 32, 64)),
    "JPEG (quality)": (jpeg, (90, 70, 50, 30, 10)),
    "hole filled grey (share)": (hole_share, (0.2, 0.4, 0.6, 0.8, 1.0)),
    "hole grown (px)": (hole_grown, (1, 2, 3, 5, 8)),
}


def distances(
    network: Extractor, images: Tensor, hole: Tensor, damage: Damage, levels: tuple[float, ...]
) -> list[float]:
    """The distance between images (N, 3, H, W) uint8 and their damaged versions, at every level."""

    def features(batch: Tensor) -> np.ndarray:
        return tiled(network.embed, batch, TILE).cpu().numpy()

    whole = prepare(features(images), "images")
    return [distance(prepare(features(damage(images, level, hole)), "damaged images"), whole) for level in levels]


def main(argv: list[str] | None = None) -> None:
    """Read the images, measure, print."""
    parser = argparse.ArgumentParser(description="Does an extractor's distance rise with the severity of damage?")
    parser.add_argument("ground_truth", type=Path, help="folder or lab CSV")
    parser.add_argument("masks", type=Path, help="folder of masks, 0 = hole")
    parser.add_argument("--features", default="cifar-resnet", help="name of the extractor")
    arguments = parser.parse_args(argv)
    test_set = load_test_set(masks=arguments.masks, ground_truth=arguments.ground_truth)
    network = extractor(arguments.features)
    images, hole = torch.from_numpy(test_set.truth), torch.from_numpy(test_set.hole)[:, None]
    print(f"{network.label} ({network.name}), {len(images)} images\n")
    print("| damage | 1 | 2 | 3 | 4 | 5 | rises strictly |\n| --- | --- | --- | --- | --- | --- | --- |")
    own = {"JPEG on the photographs' own blocks (quality)": (jpeg_on_own_blocks, SEVERITIES["JPEG (quality)"][1])}
    for name, (damage, levels) in {**SEVERITIES, **own}.items():
        values = distances(network, images, hole, damage, levels)
        rises = all(a < b for a, b in zip([0.0, *values], values, strict=False))
        shown = " | ".join(f"{level:g}: {value:.3f}" for level, value in zip(levels, values, strict=True))
        print(f"| {name} | {shown} | {'yes' if rises else '**no**'} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
