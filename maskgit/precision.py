"""Precision of the networks: float32, TF32 for the factors of matrix products on a GPU, or bfloat16.

In bfloat16 the blocks of the transformer and of the decoder run under autocast. What decides a token stays in float32:
the encoder with its nearest codes, the product with the vocabulary and everything after it; so does the decoder's last
convolution, since bfloat16 has only 8 significant bits, as many as a grey level.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import Tensor

from maskgit.errors import InputError
from maskgit.model import MaskGIT
from maskgit.tokenizer import VQGAN, to_uint8
from maskgit.transformer import BidirectionalTransformer

if TYPE_CHECKING:
    from maskgit.model import MaskedImageModel


class Bfloat16MaskGIT(MaskGIT):
    """MaskGIT whose transformer and decoder compute in bfloat16."""

    @torch.inference_mode()
    def logits(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) int64 in [0, V] to logits (B, N, V + 1) float32."""
        with self._arithmetic():
            with self._autocast():
                hidden = self.transformer.hidden(tokens.to(self.device))
            return self.transformer.predict(hidden.float())

    @torch.inference_mode()
    def render(self, tokens: Tensor) -> Tensor:
        """Tokens (B, N) int64 in [0, V) to images (B, 3, H, W) uint8, rounding half up."""
        tokenizer = self.tokenizer
        *blocks, last = tokenizer.decoder.model
        with self._arithmetic():
            with self._autocast():
                x = tokenizer.post_quant_conv(tokenizer.quantised(tokens.to(self.device)).permute(0, 3, 1, 2))
                for block in blocks:
                    x = block(x)
            return to_uint8(last(x.float()) * tokenizer.std + tokenizer.mean)

    def _autocast(self) -> torch.autocast:
        return torch.autocast(self.device.type, torch.bfloat16)


def in_bfloat16(model: MaskedImageModel, name: str) -> MaskedImageModel:
    """The same weights, computed in bfloat16.

    Raises:
        InputError: Parts of the model are the user's own code, whose arithmetic cannot be divided.
    """
    parts = (type(model), type(getattr(model, "tokenizer", None)), type(getattr(model, "transformer", None)))
    if parts != (MaskGIT, VQGAN, BidirectionalTransformer):
        raise InputError(
            f'{name}: execution.precision = "bf16" is not available for models that compute with code of their own; '
            'use "float32"'
        )
    float32 = cast("MaskGIT", model)
    return Bfloat16MaskGIT(
        float32.tokenizer,
        float32.transformer,
        fingerprint=float32.fingerprint,
        device=str(float32.device),
        reading=float32.reading,
        caveats=float32.caveats,
    )
