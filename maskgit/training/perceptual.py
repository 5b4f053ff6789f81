"""Perceptual distance on VGG16 features, used only if a weights file is given.

Johnson, Alahi & Fei-Fei, "Perceptual Losses for Real-Time Style Transfer", ECCV 2016, with unit-norm features as in
Zhang et al., "The Unreasonable Effectiveness of Deep Features", CVPR 2018 (without their learned weights).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torchvision.models import vgg16

from maskgit.errors import InputError

if TYPE_CHECKING:
    from pathlib import Path

TAPS = (3, 8, 15)  # relu1_2, relu2_2, relu3_3
MEAN, STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


class PerceptualDistance(nn.Module):
    """Mean squared difference of unit-norm VGG16 features of two batches (B, 3, H, W) in [0, 1]."""

    mean: Tensor
    std: Tensor

    def __init__(self, weights: Path) -> None:
        super().__init__()
        with torch.random.fork_rng(devices=[]):
            network = vgg16(weights=None)
        try:
            state = torch.load(weights, map_location="cpu", weights_only=True)
            self.features = network.features[: TAPS[-1] + 1]
            prefix = "features."
            names = self.features.state_dict().keys()
            self.features.load_state_dict({key: state[prefix + key] for key in names})
        except Exception as error:  # a foreign file may raise anything
            raise InputError(
                f"{weights}: train.perceptual_weights is not a state dict of torchvision's vgg16 "
                f"({type(error).__name__}); give such a file or leave the key out"
            ) from error
        self.requires_grad_(False).eval().to(memory_format=torch.channels_last)
        self.register_buffer("mean", torch.tensor(MEAN).view(1, 3, 1, 1))
        self.register_buffer("std", torch.tensor(STD).view(1, 3, 1, 1))

    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        """Distance, a scalar."""
        a, b = (x - self.mean) / self.std, (y - self.mean) / self.std
        total = x.new_zeros(())
        for index, layer in enumerate(self.features):
            a, b = layer(a), layer(b)
            if index in TAPS:
                total = total + (F.normalize(a.float(), dim=1) - F.normalize(b.float(), dim=1)).square().sum(1).mean()
        return total
