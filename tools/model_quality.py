"""How good models are: distance and PSNR of what each makes of a test set, as decoded and with known pixels pasted back.

    python -m tools.model_quality CHECKPOINT ... [--masks FOLDER --ground-truth FOLDER] [--limit N]

prints, as Markdown, FD (efficientnet-lite0), paired, ± its standard error, and the mean PSNR of the whole image, of the
tokenizer's reconstruction and of fillings in one and in twelve steps (cosine schedule, the lab's rule, seed 0); last, of
Telea's and of grey holes. Without folders the test set is catfaces.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from bench.features.registry import Extractor, extractor
from bench.metrics.frechet import FeatureStats, prepare
from bench.metrics.influence import estimate_paired
from bench.metrics.pixels import psnr_db
from maskgit.data.loading import load_test_set
from maskgit.data.testset import TestSet, catfaces_test_set
from maskgit.errors import InputError
from maskgit.tiles import tiled
from tools.inpaintings import TILE, telea, with_model


def features(network: Extractor, images: Tensor) -> np.ndarray:
    """Features (N, D) of images (N, 3, H, W) uint8."""
    return tiled(network.embed, images, TILE).cpu().numpy()


def line(name: str, images: Tensor, test_set: TestSet, network: Extractor, truth: FeatureStats) -> str:
    """A line of the table."""
    estimate = estimate_paired(features(network, images), truth)
    everywhere = np.ones_like(test_set.hole)
    psnr = psnr_db(images.numpy(), test_set.truth, everywhere).mean()
    return f"| {name} | {estimate.value:.1f} ± {estimate.se:.1f} | {psnr:.2f} |"


def main(argv: list[str] | None = None) -> None:
    """Read the test set, fill its holes with every model, measure, print."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("checkpoints", nargs="+", help="bundled names or folders")
    parser.add_argument("--masks", type=Path, help="folder of masks, 0 = hole")
    parser.add_argument("--ground-truth", type=Path, help="folder or CSV")
    parser.add_argument("--limit", type=int, help="only the first images; of catfaces 256 unless given")
    arguments = parser.parse_args(argv)
    torch.set_num_threads(1)
    if arguments.masks is None:
        test_set = catfaces_test_set(arguments.limit or 256)
    else:
        test_set = load_test_set(masks=arguments.masks, ground_truth=arguments.ground_truth, limit=arguments.limit)
    network = extractor("efficientnet-lite0")
    truth = prepare(features(network, torch.from_numpy(test_set.truth)))
    print(f"{len(test_set)} images of {test_set.name}\n\n| images | FD (efficientnet-lite0) | PSNR (dB) |")
    print("| --- | ---: | ---: |")
    for checkpoint in arguments.checkpoints:
        for name, images in with_model(test_set, checkpoint).items():
            print(line(f"{checkpoint}: {name}", images, test_set, network, truth), flush=True)
    masked = torch.from_numpy(test_set.masked)
    print(line("Telea", telea(masked, test_set.hole), test_set, network, truth))
    print(line("grey holes", masked, test_set, network, truth))


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
