"""Two ways to compute the same model: how far their numbers are apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from maskgit.model import MaskedImageModel

IMAGES = 2
CLOSE = 1e-4  # of the largest logit: rounding stays far below


@dataclass(frozen=True)
class Difference:
    """Largest difference of two models' logits, the largest logit, and the shares of tokens that differ.

    `argmax_share`: of places whose most likely code differs; `token_share`: of tokens that images are encoded to.
    """

    max_logit: float
    scale: float
    argmax_share: float
    token_share: float

    @property
    def is_rounding(self) -> bool:
        """Whether the two compute the same."""
        return self.max_logit <= CLOSE * self.scale and self.token_share == 0

    def __str__(self) -> str:
        logits = f"max |Δ logit| {self.max_logit:.2g}, most likely code differs at {self.argmax_share:.1%} of places"
        return logits + (f", {self.token_share:.1%} of the encoded tokens differ" if self.token_share else "")


@torch.inference_mode()
def difference(ours: MaskedImageModel, theirs: MaskedImageModel) -> Difference:
    """Compare two models of equal sizes on noise: images, and half-masked tokens, image by image."""
    generator = torch.Generator().manual_seed(0)
    size = (IMAGES, ours.num_tokens)
    tokens = torch.randint(ours.num_codes, size, generator=generator)
    tokens = torch.where(torch.rand(size, generator=generator) < 0.5, ours.num_codes, tokens)
    one, two = (torch.cat([model.logits(row[None]).cpu() for row in tokens]) for model in (ours, theirs))
    side = ours.image_size
    images = torch.randint(256, (IMAGES, 3, side, side), generator=generator, dtype=torch.uint8)
    encoded = [model.encode(images).cpu() for model in (ours, theirs)]
    return Difference(
        max_logit=float((one - two).abs().max()),
        scale=float(one.abs().max()),
        argmax_share=float((one.argmax(-1) != two.argmax(-1)).float().mean()),
        token_share=float((encoded[0] != encoded[1]).float().mean()),
    )
