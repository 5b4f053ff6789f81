"""The bundled feature extractor: a small residual network trained on CIFAR-10.

It exists so that the harness works offline. Its Fréchet distance is called FD, with the name `cifar-resnet`,
never FID. bundled/README.md describes its training and the limits of its distance.
"""

from __future__ import annotations

import hashlib
import json
from importlib import resources
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import torch
from safetensors.torch import load
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval

from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable

    from bench.features.sources import Source

FEATURE_VERSION = "cifar-resnet-3"
"""Version of `normalise` and `features`; increases when the numbers change with the same weights."""

WIDTHS = (16, 32, 80, 192)
"""Channels of the stem and of the three stages; the features are the means of the three stages, D = 304."""

BLOCKS = (1, 2, 2)
"""Residual blocks of each stage."""

MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2470, 0.2435, 0.2616)
"""Channel statistics of the CIFAR-10 training images in [0, 1]."""

MIN_SIDE = 32


class ConvBN(nn.Sequential):
    """3x3 convolution, batch-norm and ReLU."""

    def __init__(self, c_in: int, c_out: int) -> None:
        super().__init__(
            nn.Conv2d(c_in, c_out, 3, padding=1, bias=False),
            nn.BatchNorm2d(c_out),
            nn.ReLU(inplace=True),
        )


class SqueezeExcitation(nn.Module):
    """Scaling of every channel by a gate in (0, 1) computed from the means of all channels (Hu et al. 2018, eq. 3)."""

    def __init__(self, channels: int, reduction: int = 8) -> None:
        super().__init__()
        hidden = max(8, channels // reduction)
        self.gate = nn.Sequential(
            nn.Linear(channels, hidden), nn.ReLU(inplace=True), nn.Linear(hidden, channels), nn.Sigmoid()
        )

    def forward(self, x: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        return cast("Tensor", x * self.gate(x.mean((2, 3)))[:, :, None, None])


class Residual(nn.Module):
    """y + s(g(f(y))): two gated convolutions (He et al. 2015; the ReLU is in g)."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.branch = nn.Sequential(ConvBN(channels, channels), ConvBN(channels, channels), SqueezeExcitation(channels))

    def forward(self, y: Tensor) -> Tensor:
        """(N, channels, H, W) to the same shape."""
        return cast("Tensor", y + self.branch(y))


class Stage(nn.Sequential):
    """Widening, halving of the sides, and residual blocks: (N, c_in, H, W) to (N, c_out, H // 2, W // 2)."""

    def __init__(self, c_in: int, c_out: int, blocks: int) -> None:
        super().__init__(ConvBN(c_in, c_out), nn.MaxPool2d(2), *(Residual(c_out) for _ in range(blocks)))


class CifarResNet(nn.Module):
    """Stem, three stages, global mean, linear head: 10 logits, or (N, D) features on the way there."""

    def __init__(self, widths: tuple[int, ...] = WIDTHS, blocks: tuple[int, ...] = BLOCKS, classes: int = 10) -> None:
        super().__init__()
        self.stem = ConvBN(3, widths[0])
        self.stages = nn.ModuleList(
            Stage(c_in, c_out, n) for (c_in, c_out), n in zip(pairwise(widths), blocks, strict=True)
        )
        self.head = nn.Linear(widths[-1], classes)
        self.feature_dim = sum(widths[1:])

    def stage_means(self, x: Tensor) -> list[Tensor]:
        """Spatial means of each stage's activations: (N, width) each, of normalised images (N, 3, H, W)."""
        x = self.stem(x)
        means = []
        for stage in self.stages:
            x = stage(x)
            means.append(x.mean((2, 3)))
        return means

    def forward(self, x: Tensor) -> Tensor:
        """Logits (N, classes) of normalised images (N, 3, H, W)."""
        return cast("Tensor", self.head(self.stage_means(x)[-1]))

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """Features (N, D) float32 of images (N, 3, H, W) uint8 at their own size; H and W at least 32.

        The means of the early stages respond to blur, noise and blocks, those of the last stage to content.

        Raises:
            TypeError: The images are not uint8 in the order (N, 3, H, W).
            InputError: The images are smaller than the network was trained for.
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise TypeError(f"expected uint8 (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
        if min(images.shape[2:]) < MIN_SIDE:
            raise InputError(
                f"cifar-resnet: images are {images.shape[3]}x{images.shape[2]}, the smallest size is "
                f'{MIN_SIDE}x{MIN_SIDE}; use larger images or metrics.features = "inception"'
            )
        return torch.cat(self.stage_means(normalise(images)), 1)


def fold_batch_norm(model: CifarResNet) -> CifarResNet:
    """Fold every batch-norm into its convolution, in place; the network must be in evaluation mode."""
    for layer in [m for m in model.modules() if isinstance(m, ConvBN)]:
        conv, norm = layer[0], layer[1]
        assert isinstance(conv, nn.Conv2d)
        assert isinstance(norm, nn.BatchNorm2d)
        layer[0], layer[1] = fuse_conv_bn_eval(conv, norm), nn.Identity()
    return model


def load_bundled(device: str | torch.device = "cpu") -> CifarResNet:
    """The network that ships: float32, evaluation mode, batch-norm folded, channels-last, no gradients.

    The weights are stored in half precision with separate batch-norm, and folded in float32 after loading.

    Raises:
        InputError: The installed weights are not those that config.json names.
    """
    folder = resources.files("bench.features") / "bundled"
    config = json.loads((folder / "config.json").read_text())
    weights = folder / "weights.safetensors"
    stored = weights.read_bytes()
    if hashlib.sha256(stored).hexdigest() != config["sha256"]:
        raise InputError(f"{weights}: sha256 differs from config.json; reinstall maskbench")
    model = CifarResNet(tuple(config["widths"]), tuple(config["blocks"]))
    state = {name: value.float() for name, value in load(stored).items()}
    # Only num_batches_tracked is not stored: it counts training steps, and evaluation never reads it.
    uncounted = {k: v for k, v in model.state_dict().items() if k.endswith("num_batches_tracked")}
    model.load_state_dict({**uncounted, **state})
    model = fold_batch_norm(model.eval().requires_grad_(False))
    return model.to(device).to(memory_format=torch.channels_last)


def network(source: Source, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The extractor's network, for `bench.features.sources`."""
    return load_bundled(device).features


def normalise(images: Tensor) -> Tensor:
    """Uint8 images (N, 3, H, W) as float32, channels-last, with zero mean and unit variance over CIFAR-10."""
    x = images.to(torch.float32, memory_format=torch.channels_last)
    mean = torch.tensor(MEAN, device=x.device).view(1, 3, 1, 1) * 255
    std = torch.tensor(STD, device=x.device).view(1, 3, 1, 1) * 255
    return (x - mean) / std
