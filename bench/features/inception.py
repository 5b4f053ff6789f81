"""FID's Inception network, as in pytorch-fid, with weights from a given file and images from memory.

The network of Szegedy et al. 2016 in TensorFlow's release of 2015-12-05, which published FIDs use: pytorch-fid's patched
blocks on torchvision's Inception v3. pytorch-fid's own class is not used, because it loads the file in its cache, or
downloads one, without checking the sha256.

There are two ways to compute the same features. *Folded*, the default: every batch-norm is folded into its convolution,
and activations are channels-last. *Strict*: pytorch-fid's own order of operations, which gives its features bit for bit
at the same batch size. They differ only by rounding: by less than 2e-6 of the largest feature, and so by less than 1e-4
in the distance (tests/bench/features/test_inception.py); `tests/performance/extraction.py` measures the time saved.
"""

from __future__ import annotations

import pickle
from typing import TYPE_CHECKING, cast

import torch
import torch.nn.functional as F
from pytorch_fid.inception import FIDInceptionA, FIDInceptionC, FIDInceptionE_1, FIDInceptionE_2
from torch import Tensor, nn
from torch.nn.utils.fusion import fuse_conv_bn_eval
from torchvision.models import Inception3
from torchvision.models.inception import BasicConv2d

from maskgit.errors import InputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from bench.features.sources import Source

CLASSES = 1008
SIDE = 299
LAYERS = (
    "Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "maxpool1", "Conv2d_3b_1x1", "Conv2d_4a_3x3", "maxpool2",
    "Mixed_5b", "Mixed_5c", "Mixed_5d", "Mixed_6a", "Mixed_6b", "Mixed_6c", "Mixed_6d", "Mixed_6e",
    "Mixed_7a", "Mixed_7b", "Mixed_7c", "avgpool",
)  # fmt: skip
"""The layers from the image to pool3, in order."""


def fid_inception() -> Inception3:
    """The whole network with torch's initial weights; the official file is its state dict."""
    network = Inception3(num_classes=CLASSES, aux_logits=False, init_weights=False)
    network.Mixed_5b = FIDInceptionA(192, pool_features=32)
    network.Mixed_5c = FIDInceptionA(256, pool_features=64)
    network.Mixed_5d = FIDInceptionA(288, pool_features=64)
    network.Mixed_6b = FIDInceptionC(768, channels_7x7=128)
    network.Mixed_6c = FIDInceptionC(768, channels_7x7=160)
    network.Mixed_6d = FIDInceptionC(768, channels_7x7=160)
    network.Mixed_6e = FIDInceptionC(768, channels_7x7=192)
    network.Mixed_7b = FIDInceptionE_1(1280)
    network.Mixed_7c = FIDInceptionE_2(2048)
    return network


class InceptionPool3(nn.Module):
    """Images to pool3 features, preprocessed as pytorch-fid does."""

    def __init__(self, network: Inception3, memory_format: torch.memory_format = torch.contiguous_format) -> None:
        super().__init__()
        self.layers = nn.Sequential(*(getattr(network, name) for name in LAYERS)).to(memory_format=memory_format)
        self.memory_format = memory_format

    @torch.inference_mode()
    def features(self, images: Tensor) -> Tensor:
        """Features (N, 2048) float32 of images (N, 3, H, W) uint8 of any size.

        Resized bilinearly to 299 × 299 (no antialiasing, corners not aligned: FID's own way) and scaled to [-1, 1].

        Raises:
            TypeError: The images are not uint8 in the order (N, 3, H, W).
        """
        if images.dtype != torch.uint8 or images.ndim != 4 or images.shape[1] != 3:
            raise TypeError(f"expected uint8 (N, 3, H, W), got {images.dtype} {tuple(images.shape)}")
        x = images.to(torch.float32, memory_format=self.memory_format) / 255
        x = F.interpolate(x, (SIDE, SIDE), mode="bilinear", align_corners=False)
        return cast("Tensor", self.layers(2 * x - 1).flatten(1))


def fold_batch_norm(network: Inception3) -> Inception3:
    """Fold every batch-norm into its convolution, in place; the network must be in evaluation mode."""
    for layer in [m for m in network.modules() if isinstance(m, BasicConv2d)]:
        assert isinstance(layer.bn, nn.BatchNorm2d)
        layer.conv, layer.bn = fuse_conv_bn_eval(layer.conv, layer.bn), nn.Identity()
    return network


def network(source: Source, device: torch.device) -> Callable[[Tensor], Tensor]:
    """The extractor's network, for `bench.features.sources`."""
    return load_inception(source.path, device, strict=source.strict).features


def load_inception(path: Path, device: str | torch.device = "cpu", *, strict: bool = False) -> InceptionPool3:
    """The network with the weights of a file in pytorch-fid's format: float32, evaluation mode, no gradients.

    Args:
        path: The file.
        device: Device to run the network on.
        strict: Keep batch-norm separate and activations contiguous, as pytorch-fid does.

    Raises:
        InputError: The file is not a state dict of this network, or has a value that is not finite.
    """
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, EOFError, RuntimeError, ValueError, KeyError, pickle.UnpicklingError):
        raise InputError(f"{path}: not a file of tensors; give the weights as pytorch-fid has them") from None
    if not isinstance(state, dict) or not all(isinstance(value, Tensor) for value in state.values()):
        raise InputError(f"{path}: not a state dict; give the weights as pytorch-fid has them")
    with torch.device(
        "meta"
    ):  # only shapes: initialising weights that are overwritten takes longer than reading the file
        network = fid_inception()
    expected = {k: v.shape for k, v in network.state_dict().items()}
    # num_batches_tracked counts training steps; evaluation never reads it, and old files lack it.
    wrong = sorted(
        k for k in expected.keys() | state.keys()
        if not (k in state and state[k].shape == expected.get(k)) and not k.endswith("num_batches_tracked")
    )  # fmt: skip
    if wrong:
        raise InputError(
            f"{path}: not FID's Inception: {len(wrong)} tensors missing, extra or of another shape, first {wrong[0]}; "
            "give the weights as pytorch-fid has them"
        )
    bad = [k for k, v in state.items() if not torch.isfinite(v).all()]
    if bad:
        raise InputError(f"{path}: NaN or infinite in {len(bad)} tensors, first {bad[0]}; download the weights again")
    network.to_empty(device="cpu").load_state_dict(state, strict=False)
    network = network.eval().requires_grad_(False)
    if strict:
        return InceptionPool3(network).eval().to(device)
    return InceptionPool3(fold_batch_norm(network), torch.channels_last).eval().to(device)
