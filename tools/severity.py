"""Measure whether an extractor's distance rises with every level of blur, noise, JPEG and hole.

    python -m tools.severity GROUND_TRUTH MASKS [--features NAME]

prints a Markdown table of the Fréchet distances between photographs and damaged versions of them, at five severities.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from bench.features.registry import Extractor, extractor
from bench.metrics.frechet import distance, prepare
from maskgit.data.loading import load_test_set
from maskgit.errors import InputError
from maskgit.tiles import tiled
from tools.damages import Damage, blur, hole_grown, hole_share, jpeg, jpeg_on_own_blocks, noise

if TYPE_CHECKING:
    import numpy as np

TILE = 16

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
    """Distances between images (N, 3, H, W) uint8 and their damaged versions, one per level."""

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
    own_blocks = {
        "JPEG on the photographs' own blocks (quality)": (jpeg_on_own_blocks, SEVERITIES["JPEG (quality)"][1])
    }
    for name, (damage, levels) in {**SEVERITIES, **own_blocks}.items():
        values = distances(network, images, hole, damage, levels)
        rises = all(a < b for a, b in zip([0.0, *values], values, strict=False))
        distances_text = " | ".join(f"{level:g}: {value:.3f}" for level, value in zip(levels, values, strict=True))
        print(f"| {name} | {distances_text} | {'yes' if rises else '**no**'} |", flush=True)


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
