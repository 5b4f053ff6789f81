"""Differences between two implementations of the same model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from maskgit.model import MaskedImageModel

IMAGES = 2
CLOSE = 1e-4  # relative to the largest logit: rounding stays far below


@dataclass(frozen=True)
class Difference:
    """Largest difference between two models' logits, the largest logit, and the shares of tokens that differ.

    `argmax_share`: share of positions whose most likely code differs; `token_share`: share of encoded tokens that differ.
    """

    max_logit: float
    scale: float
    argmax_share: float
    token_share: float

    @property
    def is_rounding(self) -> bool:
        """True if the two models differ by rounding only."""
        return self.max_logit <= CLOSE * self.scale and self.token_share == 0

    def __str__(self) -> str:
        logits = f"max |Δ logit| {self.max_logit:.2g}, most likely code differs at {self.argmax_share:.1%} of places"
        return logits + (f", {self.token_share:.1%} of the encoded tokens differ" if self.token_share else "")


@torch.inference_mode()
def difference(ours: MaskedImageModel, theirs: MaskedImageModel) -> Difference:
    """Compare two models of equal sizes on noise: random images, and half-masked random tokens, one image at a time."""
    generator = torch.Generator().manual_seed(0)
    size = (IMAGES, ours.num_tokens)
    tokens = torch.randint(ours.num_codes, size, generator=generator)
    tokens = torch.where(torch.rand(size, generator=generator) < 0.5, ours.num_codes, tokens)
    our_logits, their_logits = (
        torch.cat([model.logits(row[None]).cpu() for row in tokens]) for model in (ours, theirs)
    )
    side = ours.image_size
    images = torch.randint(256, (IMAGES, 3, side, side), generator=generator, dtype=torch.uint8)
    encoded = [model.encode(images).cpu() for model in (ours, theirs)]
    return Difference(
        max_logit=float((our_logits - their_logits).abs().max()),
        scale=float(our_logits.abs().max()),
        argmax_share=float((our_logits.argmax(-1) != their_logits.argmax(-1)).float().mean()),
        token_share=float((encoded[0] != encoded[1]).float().mean()),
    )
