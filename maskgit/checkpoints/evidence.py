"""Evidence for a reading: how well it predicts the masked tokens of the user's images, compared with token frequencies.

The measure is the training loss of masked token modelling (Chang et al. 2022, equation 1) in the test set's holes: mean
−log p of the ground-truth tokens that are masked, in nats per token, for each image. A transformer whose tensors are read
as its author meant predicts far better than the frequencies of the tokens; read in any other way, it hardly does.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from maskgit.masks import token_mask
from maskgit.tiles import tiled

if TYPE_CHECKING:
    from collections.abc import Callable

    from maskgit.model import MaskedImageModel

Nats = NDArray[np.float64]
"""(B,), nats per masked token, one value per image."""

MOST_IMAGES = 24
FEWEST_IMAGES = 4
CLEAR = 3.0
"""Number of paired standard errors over images that a mean difference must exceed to count."""
GAIN = 0.05
"""Share by which a reading must be below the cross-entropy of the frequencies to be plausible."""
TILE = 4


@dataclass(frozen=True, eq=False)
class Evidence:
    """Test images: masked and truth (B, 3, H, W) uint8, hole (B, H, W) bool, True = repaint."""

    masked: Tensor
    truth: Tensor
    hole: Tensor

    @classmethod
    def of(cls, masked: NDArray[np.uint8], truth: NDArray[np.uint8], hole: NDArray[np.bool_]) -> Evidence:
        """Take at most `MOST_IMAGES` images that have a hole, evenly spaced over the test set."""
        holed = np.flatnonzero(hole.any((1, 2)))
        chosen = holed[np.unique(np.linspace(0, len(holed) - 1, min(MOST_IMAGES, len(holed))).round().astype(int))]
        return cls(*(torch.from_numpy(np.ascontiguousarray(array[chosen])) for array in (masked, truth, hole)))


@dataclass(frozen=True, eq=False)
class MaskedTokens:
    """Images as a transformer sees them: tokens and truth (B, N) int64, mask (B, N) bool, True = predict."""

    tokens: Tensor
    truth: Tensor
    mask: Tensor

    def first(self, count: int) -> MaskedTokens:
        """The first `count` images."""
        return MaskedTokens(self.tokens[:count], self.truth[:count], self.mask[:count])


def encode(model: MaskedImageModel, evidence: Evidence, device: torch.device) -> MaskedTokens:
    """Encode the evidence with a model; the mask token is set where a token is to be predicted."""
    mask = token_mask(evidence.hole, model.cell).to(device)
    known = tiled(model.encode, evidence.masked.to(device), TILE)
    truth = tiled(model.encode, evidence.truth.to(device), TILE)
    return MaskedTokens(torch.where(mask, model.num_codes, known), truth, mask)


def prediction_nats(logits: Callable[[Tensor], Tensor], images: MaskedTokens, num_codes: int) -> Nats:
    """Cross-entropy of a transformer's prediction; the mask token is excluded."""
    log_p = tiled(logits, images.tokens, TILE)[..., :num_codes].double().log_softmax(-1)
    return masked_mean(-log_p.gather(2, images.truth[..., None]).squeeze(2), images.mask)


def frequency_nats(truth: Tensor, mask: Tensor, num_codes: int) -> Nats:
    """Cross-entropy of the token frequencies in the other images, with one added to each count; (B, N) tokens and mask."""
    counts = torch.stack([torch.bincount(image, minlength=num_codes) for image in truth]).double()
    others = counts.sum(0) - counts + 1.0
    log_p = (others / others.sum(1, keepdim=True)).log()
    return masked_mean(-log_p.gather(1, truth), mask)


def masked_mean(values: Tensor, mask: Tensor) -> Nats:
    """Mean of (B, N) values over each image's masked tokens."""
    return (values.masked_fill(~mask, 0.0).sum(1) / mask.sum(1)).cpu().double().numpy()


def clearly_lower(first: Nats, second: Nats) -> bool:
    """True if the first is lower by more than `CLEAR` paired standard errors, on `FEWEST_IMAGES` or more."""
    difference = second - first
    if len(difference) < FEWEST_IMAGES:
        return False
    error = float(difference.std(ddof=1)) / len(difference) ** 0.5
    return bool(np.isfinite(error)) and float(difference.mean()) > CLEAR * error


def reads(prediction: Nats, frequencies: Nats) -> bool:
    """True if a reading predicts clearly better than token frequencies, and by enough to be the author's."""
    return clearly_lower(prediction, frequencies) and prediction.mean() < (1.0 - GAIN) * frequencies.mean()
