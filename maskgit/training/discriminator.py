"""Patch discriminator of stage 1 and its losses.

Esser, Rombach & Ommer, "Taming Transformers for High-Resolution Image Synthesis", CVPR 2021, section 3.1; the patch
discriminator is that of Isola et al., CVPR 2017.
"""

from __future__ import annotations

from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class PatchDiscriminator(nn.Module):
    """Images (B, 3, H, W), normalised, to one logit per patch (B, 1, H/4, W/4); above zero means real."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.model = nn.Sequential(
            nn.Conv2d(3, width, 4, stride=2, padding=1),
            nn.LeakyReLU(0.2),
            nn.Conv2d(width, 2 * width, 4, stride=2, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 2 * width, 3, padding=1),
            nn.GroupNorm(4, 2 * width),
            nn.LeakyReLU(0.2),
            nn.Conv2d(2 * width, 1, 3, padding=1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """Logits of all patches."""
        return cast("Tensor", self.model(x))


def hinge_loss(real: Tensor, fake: Tensor) -> Tensor:
    """Hinge loss of the discriminator: ½ (mean max(0, 1 − real) + mean max(0, 1 + fake))."""
    return 0.5 * (F.relu(1.0 - real).mean() + F.relu(1.0 + fake).mean())


def adaptive_weight(reconstruction: Tensor, adversarial: Tensor, last_layer: Tensor) -> Tensor:
    """λ = ‖∇ reconstruction‖ / (‖∇ adversarial‖ + 1e-6) at the decoder's last layer, at most 1e4 (paper, eq. 7)."""
    by_reconstruction = torch.autograd.grad(reconstruction, last_layer, retain_graph=True)[0]
    by_adversarial = torch.autograd.grad(adversarial, last_layer, retain_graph=True)[0]
    return cast("Tensor", (by_reconstruction.norm() / (by_adversarial.norm() + 1e-6)).clamp(max=1e4).detach())
